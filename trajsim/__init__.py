"""The library `similarity` under the name that is installed: `import trajsim` does as well.

>>> import trajsim
>>> model = trajsim.load_model("toy")
>>> trajsim.compare(model, "a red car", "a red car.").distance
0.0
"""

from similarity import *  # noqa: F403  # the names of its __all__
from similarity import __all__ as __all__
