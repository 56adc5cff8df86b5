"""The fields of other routes and servers that would change an answer, and are refused by name.

A client that sends one expects other numbers than it would get if the field were ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pydantic import AliasChoices, model_validator

from service.http.mistakes import FieldError
from service.http.schemas.fields import Lenient

TEXTS_ALONE = (
    "texts alone stand here; where the model reads images, send them to /v1/embeddings, as "
    '{"input": [{"image": "data:image/png;base64,…"}]}'
)


@dataclass(frozen=True)
class ForeignField:
    """A field that a route does not have.

    Parameters
    ----------
    advice
        What to say of it on a route that has no field of the same meaning.
    harmless
        The values besides null that mean what is done anyway.
    same
        The names that fields of the same meaning may have on a route.
    """

    advice: str
    harmless: tuple[object, ...] = ()
    same: tuple[str, ...] = ()

    def takes(self, value: object) -> bool:
        """Return whether a value changes nothing. 0 is not false, though they are equal."""
        return value is None or any(
            type(value) is type(one) and value == one for one in self.harmless
        )


_TEXTS = (
    *("input", "inputs", "texts", "query", "documents", "queries", "items"),
    *("text_1", "text_2", "data_1", "data_2", "prompt"),
)
_NUMBERS = "this route gives numbers alone; POST /v1/embeddings for base64, or /v2/embed for binary"
_WIDTH = "this route gives no vectors whose width can be chosen; POST /v1/embeddings for them"
_LIKE_FLOAT32 = "base64 is of little-endian float32 here; leave it out"
_NO_LIMIT = "this route has no limit of this name; shorten the texts, or leave it out"
_NO_CUTS = "it is not known on this route; leave it out"

# A route that has one of these fields declares it, and its own declaration holds there alone.
FOREIGN_FIELDS: Mapping[str, ForeignField] = {
    **{name: ForeignField("no texts stand here; leave it out", (), _TEXTS) for name in _TEXTS},
    "images": ForeignField(TEXTS_ALONE, ([],)),
    "messages": ForeignField("there are no conversations here; give texts"),
    # Text-embeddings-inference refuses a name that its model does not have too.
    "prompt_name": ForeignField(
        "the model has no prompts of such names; put it into the texts, or leave it out"
    ),
    "preset": ForeignField(
        "this route has the service's own preset; POST /v1/embeddings or /v1/similarity for others"
    ),
    "add_special_tokens": ForeignField(
        "texts are read with the tokens that the model wants around them; give true", (True,)
    ),
    "late_chunking": ForeignField("each text is read by itself here; leave it out", (False,)),
    "max_chunks_per_doc": ForeignField(
        "a document is one text here, cut where it is too long; leave it out", (1,)
    ),
    "relevant_spans": ForeignField(
        "no spans of documents are found here; leave it out", ({"mode": "disabled"},)
    ),
    "encoding_format": ForeignField(_NUMBERS, ("float",), ("embedding_types",)),
    "embedding_type": ForeignField(_NUMBERS, ("float",), ("embedding_types",)),
    "embedding_types": ForeignField(_NUMBERS, (["float"],), ("encoding_format", "embedding_type")),
    "output_dtype": ForeignField(
        "numbers are floats here: give float, or POST /v2/embed for binary",
        ("float",),
        ("embedding_types",),
    ),
    "embed_dtype": ForeignField(_LIKE_FLOAT32, ("float32",)),
    "endianness": ForeignField(_LIKE_FLOAT32, ("native", "little")),
    "dimensions": ForeignField(_WIDTH, (), ("output_dimension",)),
    "output_dimension": ForeignField(_WIDTH, (), ("dimensions",)),
    "return_embeddings": ForeignField("POST /v1/embeddings for vectors", (False,)),
    "return_multivector": ForeignField(
        "a text has one vector here; POST /embed_all for the states of its tokens", (False,)
    ),
    "return_tokenized_input": ForeignField("POST /tokenize for the tokens of texts", (False,)),
    "truncate_prompt_tokens": ForeignField(_NO_LIMIT, (), ("max_tokens",)),
    "max_tokens": ForeignField(_NO_LIMIT, (), ("truncate_prompt_tokens",)),
    "max_tokens_per_doc": ForeignField(_NO_LIMIT, (0,)),
    "max_tokens_per_query": ForeignField(
        "no limit is for the query alone; give max_tokens_per_doc of a rerank or score, which "
        "holds for both",
        (0,),
    ),
    "truncation": ForeignField(_NO_CUTS, (), ("truncate",)),
    "truncation_side": ForeignField(_NO_CUTS, (), ("truncation_direction", "truncate")),
    "truncation_direction": ForeignField(_NO_CUTS, (), ("truncation_side", "truncate")),
}


class ForeignRequest(Lenient):
    """A request in another server's dialect.

    Fields of `FOREIGN_FIELDS` that it does not declare are refused, unless they change nothing.
    """

    @model_validator(mode="before")
    @classmethod
    def _refuse_foreign_fields(cls, body: Any) -> Any:
        if isinstance(body, dict):
            own = cls._own_names()
            for name in body:
                if name in FOREIGN_FIELDS and name not in own:
                    _check(name, body, own)
        return body

    @classmethod
    def _own_names(cls) -> dict[str, None]:
        """Return the names that its fields may have in a request, in order."""
        names = (
            map(str, alias.choices)
            if isinstance(alias := field.validation_alias, AliasChoices)
            else (name,)
            for name, field in cls.model_fields.items()
        )
        return dict.fromkeys(chain.from_iterable(names))


def _check(name: str, body: Mapping[str, Any], own: Mapping[str, None]) -> None:
    """Raise FieldError if a field that the route does not have changes its answer."""
    field = FOREIGN_FIELDS[name]
    same = [one for one in field.same if one in own]
    if not field.takes(body[name]):
        here = f"this route has {' and '.join(same)} in its place; give that alone"
        raise FieldError(here if same else field.advice, name)
    for one in same if body[name] is not None else ():
        if not FOREIGN_FIELDS[one].takes(body.get(one)):
            raise FieldError(f"{name} and {one} contradict each other; give one", name)
