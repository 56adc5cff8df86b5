"""Why the vectors of the model that is served lack groups, as clients are told it."""

from service.settings import Settings
from similarity.models.base import LanguageModel
from similarity.presets import TRAJECTORIES
from similarity.vectors import recipes

# A server's own words and address are for its log.
LACKS = (
    "the model's server gives no log-probabilities of chosen tokens, and whoever runs the service "
    "finds in its log why"
)
# They take minutes to read.
UNREAD = "whoever runs the service may have trajectories read by --preset trajectories"


def lacks_of(settings: Settings, model: LanguageModel) -> str:
    """Return why the model's vectors have no more groups, without its server's own words."""
    if settings.vectors is not None:
        return ""
    recipe = recipes.recipe_of(model)
    found = "; ".join(filter(None, (recipe.short, LACKS if model.lacks else "")))
    names = () if recipe.config is None else recipe.config.names
    unread = recipes.TRAJECTORIES.name in names and settings.preset != TRAJECTORIES
    return found or (UNREAD if unread else "")
