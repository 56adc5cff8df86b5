"""All baselines, by the names that users give and tables print."""

from eval.methods.base import Factory
from eval.methods.hidden import hidden_states, prompteol, whitened_hidden_states
from eval.methods.lexical import TfIdf, WordOverlap
from eval.methods.likelihood import ConditionalLikelihood, JointLikelihood

# Of those below, the ones that no prompt changes.
UNPROMPTED = ("word overlap", "tf-idf")
# The one that has a prompt of its own, and those that are whitened by unlabelled texts.
PROMPTEOL_METHOD = "prompteol"
WHITENINGS = ("last token, whitened", "mean token, whitened")
BASELINES: dict[str, Factory] = {
    "word overlap": WordOverlap,
    "tf-idf": TfIdf,
    "conditional likelihood": ConditionalLikelihood,
    "joint likelihood": JointLikelihood,
    "last token": hidden_states("last token"),
    "mean token": hidden_states("mean token"),
    "last token, whitened": whitened_hidden_states("last token"),
    "mean token, whitened": whitened_hidden_states("mean token"),
    PROMPTEOL_METHOD: prompteol,
}
