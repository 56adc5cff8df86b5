"""What fields of requests and answers are made of."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import core_schema

from service.http.mistakes import FieldError
from similarity.calibration import Scale
from similarity.errors import InputError
from similarity.estimators.table import WITHOUT_BANK
from similarity.prompts import TEXT_PATTERN, checked_text
from similarity.validation import as_float


def named_text(text: str, name: str) -> str:
    """Return a text that was put together from what a request has.

    Raises
    ------
    FieldError
        If it is none; the message begins with the name.
    """
    try:
        return checked_text(text)
    except InputError as error:
        raise FieldError(f"{name}: {error}", name) from error


Text = Annotated[
    str,
    AfterValidator(checked_text),
    Field(
        description="A text, with a character that can be seen and without NUL.",
        json_schema_extra={"minLength": 1, "pattern": TEXT_PATTERN},
    ),
]


def _infinite_if_large(value: object) -> object:
    """Return infinity for a whole number that no float can be, which is no mistake of its type."""
    return as_float(value) if type(value) is int else value


# Of requests: so what is said of a large one is the limit of its field.
Number = Annotated[float, BeforeValidator(_infinite_if_large)]
NumberOrNone = Annotated[float | None, BeforeValidator(_infinite_if_large)]


class Strict(BaseModel):
    """A value with no fields but its own, whose JSON types are not bent to fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ImageInput(Strict):
    """An image, where a text may stand; for models that read images."""

    image: str = Field(
        description="A URL that has the image in itself: data:image/png;base64,… of PNG, JPEG, "
        "WebP, GIF or BMP. Its content says which of them it is. Or the https URL of one, on a "
        "host that the service's settings allow.",
        min_length=1,
    )


def kind_of(value: object) -> str:
    """Return the tag of a text or an image in a request."""
    return "(image)" if isinstance(value, dict | ImageInput) else "(text)"


TextOrImage = Annotated[
    Annotated[Text, Tag("(text)")] | Annotated[ImageInput, Tag("(image)")],
    Discriminator(kind_of),
]
Item = TypeVar("Item")
# Every list of a request. Only its first mistake is found: each takes time and memory.
Many = Annotated[list[Item], Field(min_length=1, fail_fast=True)]
TokenIdList = Many[Annotated[int, Field(ge=0, lt=2**31)]]
TokenIdLists = Many[TokenIdList]


def known(what: str, names: Collection[str]) -> AfterValidator:
    """Return what refuses a name that is none of these, and says which there are."""

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"unknown {what} {name[:40]!r}; allowed: {', '.join(names)}")
        return name

    return AfterValidator(check)


def else_refused(advice: str) -> WrapValidator:
    """Return what says this of any value that the field does not take.

    It is for fields that change what a client of another server expects back: one that is ignored
    would be answered with what was not asked for.
    """

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            taken = handler(value)
        except ValidationError:
            raise ValueError(advice) from None
        # A literal false is taken to be 0 as well, which the schema does not allow.
        if isinstance(taken, bool) != isinstance(value, bool):
            raise ValueError(advice)
        return taken

    return WrapValidator(check)


def check_one_value(body: BaseModel, name: str, other: str) -> None:
    """Raise ValueError if two fields of one meaning have each a value, and these differ."""
    given = body.model_fields_set
    values = {getattr(body, one) for one in (name, other) if one in given} - {None}
    if len(values) > 1:
        raise ValueError(f"{name} and {other} contradict each other; give one")


DistanceName = Annotated[
    str, known("distance", WITHOUT_BANK), Field(json_schema_extra={"enum": list(WITHOUT_BANK)})
]
FingerprintFields = Annotated[
    dict[str, Any],
    Field(description="Model and revision, every setting, version; equal ones are comparable."),
]
Calibrated = Annotated[
    bool,
    Field(
        description="Whether similarities are on a scale fitted for this model and these settings."
    ),
]
Repeatable = Annotated[
    bool,
    Field(
        description="Whether the same request gets the same distances within 1e-5, whatever other "
        "requests there are. In half precision that needs batch_tokens 1 and cache_megabytes 0; "
        "see the guide."
    ),
]
ScaleName = Annotated[
    Scale,
    Field(
        description="What similarities of 0 and 1 mean. judgements: as people judge pairs, and "
        "five times it is on the scale of STS. general text: as far apart as unrelated sentences, "
        "and as near as a text and itself. own texts: the same, with texts of whoever runs the "
        "service in their place. none: nothing that two models or settings share."
    ),
]


PresetName = Literal["paper", "trajectories", "fast", "meaning", "best"]


def _left_if_read(content: object, handler: ValidatorFunctionWrapHandler) -> object:
    return content if isinstance(content, BaseModel) else handler(content)


# Of a request of several forms: one that is read already is left as it is, of whichever form.
LEFT_IF_READ = WrapValidator(_left_if_read)


@dataclass(frozen=True)
class FormByFields:
    """Finds the form of a request by its fields.

    Parameters
    ----------
    forms
        From the tag of each form to the fields that only it has.
    none
        What to say of a request without any of these fields, so that its form is not known.
    advice
        What to give. It is said of a request with fields of several forms too.
    """

    forms: Mapping[str, Set[str]]
    none: str
    advice: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return the schema of a choice by the fields, once they are found to be of one form."""
        choice = Discriminator(
            self._form_of,
            custom_error_type="no_form",
            custom_error_message=f"{self.none}; {self.advice}",
        ).__get_pydantic_core_schema__(source, handler)
        checked = core_schema.no_info_before_validator_function(self._check_one_form, choice)
        return core_schema.no_info_wrap_validator_function(_left_if_read, checked)

    def _form_of(self, content: object) -> str | None:
        if not isinstance(content, dict):
            return next(iter(self.forms))  # whichever, as it is refused for what it is
        return next((tag for tag, fields in self.forms.items() if fields & content.keys()), None)

    def _check_one_form(self, content: object) -> object:
        given = content if isinstance(content, dict) else {}
        found = [[name for name in given if name in fields] for fields in self.forms.values()]
        first, *others = [names[0] for names in found if names] or [""]
        if others:
            raise ValueError(f"{first} and {others[0]} exclude each other; {self.advice}")
        return content


class Lenient(BaseModel):
    """A value that may have more fields than are read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


def example(**content: Any) -> ConfigDict:
    """Return the configuration of a request that has an example."""
    return ConfigDict(json_schema_extra={"examples": [content]})


OneOrMany = Text | Many[Text]


def listed(given: str | list[str]) -> list[str]:
    """Return one or many texts as many."""
    return [given] if isinstance(given, str) else given


# Requests of other servers name a model, which is not read.
IgnoredModel = Annotated[
    str | None, Field(description="Taken and left alone: one model is served.")
]
