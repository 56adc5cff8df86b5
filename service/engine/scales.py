"""The scales of the model that is served, as they were at the start."""

import logging

from service.engine.exceptions import UnreadableScaleError
from similarity.calibration import Calibration
from similarity.config import Settings
from similarity.errors import InputError
from similarity.known_scales import KnownScales

logger = logging.getLogger(__name__)


class ServedScales(KnownScales):
    """Those of now: a scale that is fitted later must not change answers in silence."""

    def find(self, config: Settings) -> Calibration | None:
        """Return the scale that is in force for these settings; None if there is none.

        Raises
        ------
        UnreadableScaleError
            If its file cannot be read, which is no mistake of the request's.
        """
        try:
            return super().find(config)
        except InputError as error:
            logger.error("a scale cannot be read: %s", error)
            raise UnreadableScaleError from error
