import pytest
from hypothesis import given
from hypothesis import strategies as st

from similarity.errors import ConfigError, InputError
from similarity.prompts import PROMPTS, Prompt, checked_text, is_blank


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog runs", "A dog runs."),
        ("A dog runs.", "A dog runs."),
        ("Does it run?", "Does it run?"),
        ('He said "go"', 'He said "go"'),
        ("  spaced out \n", "spaced out."),
        ("costs 5$", "costs 5$."),
        ("犬が走る。", "犬が走る。"),
        ("犬が走る", "犬が走る."),
    ],
)
def test_full_stop(text: str, expected: str) -> None:
    assert Prompt().apply(text) == expected


def test_full_stop_can_be_left_out() -> None:
    assert Prompt(full_stop=False).apply("A dog runs") == "A dog runs"


def test_prompts_of_the_paper() -> None:
    assert PROMPTS["meaning"].apply("A dog") == "The meaning of this sentence is: A dog."
    assert PROMPTS["implies"].apply("A dog") == "A dog. This sentence implies "


def test_around_an_image_a_prompt_speaks_of_an_image() -> None:
    assert PROMPTS["none"].around_image() == ("", "")
    assert PROMPTS["meaning"].around_image() == ("The meaning of this image is: ", "")
    assert PROMPTS["implies"].around_image() == ("", " This image implies ")
    assert PROMPTS["one-word"].around_image() == ('This image : "', '" means in one word:"')
    before, after = PROMPTS["examples"].around_image()
    assert before.startswith('This sentence : "A jockey riding a horse."')
    assert before.endswith('"Cooking".\nThis image : "')
    assert after == '" can be summarized in one word:"'
    own = Prompt(after=" A sentence like this sentence is")
    assert own.around_image() == ("", " A image like this image is")


def test_the_papers_alignment_prompts() -> None:
    prompt = PROMPTS["aligned"]
    assert prompt.apply("A dog") == (
        "A dog. This is a caption for an image. Describe this image. This image shows"
    )
    assert prompt.around_image() == ("", " Describe this image. This image shows")


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and not is_blank(text)))
def test_applying_twice_adds_nothing(text: str) -> None:
    once = Prompt().apply(text)
    assert Prompt().apply(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t ",
        "\u200b",
        "\ufeff",
        "\x01\x7f",
        "\u2060\xad",
        "\u200b \u200d\x85",
        "\u2800",
        "\U000e0041\U000e007f",
        "\ufff3",
        "\U0001d173",
        "\U0001bca0",
        "\U000e0100",
    ],
)
def test_empty_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="empty or only white space"):
        Prompt().apply(text)


def test_a_text_of_more_than_16_bits_or_of_braille_is_a_text() -> None:
    for text in ("\U0001f600", "\u2801\u2800", "\U0001f3f4\U000e0067\U000e007f", "\U000e1000"):
        assert checked_text(text) == text


def test_a_text_with_nul_is_refused() -> None:
    for text in ("a\0b", "\0"):
        with pytest.raises(InputError, match="has a NUL character; take it out"):
            Prompt().apply(text)


def test_lone_surrogate_is_refused() -> None:
    with pytest.raises(InputError, match="not valid Unicode"):
        Prompt().apply("a\ud800b")
    with pytest.raises(ConfigError, match="'after' is not valid Unicode"):
        Prompt(after="\ud800")


def test_text_must_be_a_string() -> None:
    with pytest.raises(InputError, match="must be a string, got int"):
        Prompt().apply(3)  # type: ignore[arg-type]


def test_bytes_that_the_locale_does_not_decode_name_it() -> None:
    text = "caf\u00e9".encode().decode("ascii", errors="surrogateescape")
    with pytest.raises(InputError, match=r"set a locale of UTF-8, such as LC_ALL=C\.UTF-8"):
        checked_text(text)
