"""Why the vectors of the model that is served lack groups, as clients are told it."""

from service.settings import Settings
from similarity.models.base import LanguageModel
from similarity.vectors.recipes import recipe_of

# A server's own words and address are for its log.
LACKS = (
    "the model's server gives no log-probabilities of chosen tokens, and whoever runs the service "
    "finds in its log why"
)


def lacks_of(settings: Settings, model: LanguageModel) -> str:
    """Return why the model's vectors have no more groups, without its server's own words."""
    if settings.vectors is not None:
        return ""
    short = recipe_of(model).short
    return "; ".join(filter(None, (short, LACKS if model.lacks else "")))
