"""The page takes a file of texts, in a browser, as the command line reads it."""

import io
import itertools
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from service.http.page import STATIC
from similarity.errors import InputError
from similarity.tabular.formats import ENDINGS
from similarity.tabular.records import read_records
from similarity.tabular.texts import PAIR_NAMES, TEXT_NAMES, read_file
from similarity.tabular.values import _NO_TEXT, no_text
from tests.service.test_page import browser, url  # noqa: F401

PAIRS = "text1,text2\nA dog runs.,A puppy is running.\nIt rains.,It pours.\n"
READ = """async ([name, bytes]) => {
  const { read } = await import("/static/files.js");
  try {
    return await read(new File([new Uint8Array(bytes)], name));
  } catch (error) {
    return { error: error.message };
  }
}"""


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:  # noqa: F811
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(url)
    yield page
    page.close()
    assert problems == []


def take(page: Page, name: str, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    page.set_input_files("#file", {"name": name, "mimeType": "text/plain", "buffer": data})


def read(page: Page, name: str, content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(READ, [name, list(content)])
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "texts", "message"),
    [
        ("a.txt", "\ufeffone\r\n\r\ntwo\r\n", ["one", "two"], "2 texts of a.txt."),
        ("a.txt", "one\n\u200b\n \u2060 \ntwo\n", ["one", "two"], "2 texts of a.txt."),
        (
            "a.csv",
            "id,text\n1,one\n2,\u200b\n\ufeff\u200b\n3,two\n",
            ["one", "two"],
            "2 texts of a.csv, from the column “text”. 1 row without one left out.",
        ),
        (
            "a.csv",
            'id,text\n1,"one, ""two"""\n2,"a\nb"\n3,\n',
            ['one, "two"', "a b"],
            "2 texts of a.csv, from the column “text”. 1 row without one left out.",
        ),
        (
            "a.csv",
            "\ufeffNr;Text\r\n1;one, two\r\n2;three\r\n",
            ["one, two", "three"],
            "2 texts of a.csv, from the column “Text”.",
        ),
        ("a.csv", "id\ttext\n1\tone\n", ["one"], "1 text of a.csv, from the column “text”."),
        (
            "a.tsv",
            'id\ttext\n1\t"one\n',
            ['"one'],
            "1 text of a.tsv, from the column “text”, each quotation mark as a character.",
        ),
        (
            "a.tsv",
            'id\ttext\n1\t"one, ""two"""\n2\t"a\tb"\n',
            ['one, "two"', "a\tb"],
            "2 texts of a.tsv, from the column “text”.",
        ),
        (
            "a.csv",
            "Question\nHow?\nWhy?\n",
            ["How?", "Why?"],
            "2 texts of a.csv, from its only column, “Question”.",
        ),
        ("a.txt", "one\r\rtwo\r", ["one", "two"], "2 texts of a.txt."),
        (
            "a.csv",
            "id,text\r1,one\r2,two\r",
            ["one", "two"],
            "2 texts of a.csv, from the column “text”.",
        ),
        ("a.jsonl", '"one"\n"two"\n', ["one", "two"], "2 texts of a.jsonl."),
        (
            "a.jsonl",
            '{"id": 1, "text": "one"}\n\n{"id": 2, "text": "two"}\n',
            ["one", "two"],
            "2 texts of a.jsonl, from the column “text”.",
        ),
        (
            "a.jsonl",
            '"one"\n{"id": 2, "text": "two"}\n"three"\n',
            ["one", "two", "three"],
            "3 texts of a.jsonl, from the column “text”.",
        ),
        (
            "a.jsonl",
            '{"text": "one"}\n"two"\n',
            ["one", "two"],
            "2 texts of a.jsonl, from its only column, “text”.",
        ),
    ],
)
def test_a_file_is_taken(page, name, content, texts, message):
    take(page, name, content)
    expect(page.locator("#status")).to_have_text(message)
    expect(page.locator("#texts")).to_have_value("\n".join(texts))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.csv", PAIRS),
        ("pairs.csv", PAIRS.replace(",", ";")),
        ("pairs.tsv", PAIRS.replace(",", "\t")),
        (
            "pairs.jsonl",
            '{"text1": "A dog runs.", "text2": "A puppy is running."}\n'
            '{"text1": "It rains.", "text2": "It pours."}\n',
        ),
    ],
)
def test_of_pairs_a_column_is_asked_for(page, name, content):
    before = page.locator("#texts").input_value()
    take(page, name, content)
    expect(page.locator("#status")).to_have_text(
        f"{name} has the columns “text1” and “text2”. Choose the one to take. "
        "To score its pairs row by row, use trajsim batch."
    )
    expect(page.locator("#texts")).to_have_value(before)
    expect(page.locator("#column")).to_be_focused()
    page.click("#compare")
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("Choose the one to take.")
    page.select_option("#column", label="text2")
    expect(page.locator("#texts")).to_have_value("A puppy is running.\nIt pours.")
    expect(page.locator("#status")).to_have_text(f"2 texts of {name}, from the column “text2”.")
    page.select_option("#column", label="text1")
    expect(page.locator("#texts")).to_have_value("A dog runs.\nIt rains.")
    # What was typed is not lost to another choice.
    page.press("#texts", "End")
    expect(page.locator("#table")).to_be_visible()
    page.type("#texts", " ")
    expect(page.locator("#table")).to_be_hidden()
    page.click("#compare")
    expect(page.locator("#map td")).to_have_count(4)


@pytest.mark.slow
def test_a_first_line_is_a_text_where_the_user_says_so(page):
    take(page, "a.csv", "one,x\ntwo,y\n")
    expect(page.locator("#status")).to_contain_text("the columns “one” and “x”")
    page.uncheck("#named")
    page.select_option("#column", label="1: one")
    expect(page.locator("#texts")).to_have_value("one\ntwo")
    expect(page.locator("#status")).to_have_text("2 texts of a.csv, from the column 1.")
    take(page, "b.csv", "one\ntwo\nthree\n")
    expect(page.locator("#texts")).to_have_value("two\nthree")
    page.uncheck("#named")
    expect(page.locator("#texts")).to_have_value("one\ntwo\nthree")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "{", "line 1 is not JSON."),
        ("a.jsonl", '"one"\n3\n', "line 2: want a text or an object with one."),
        ("a.jsonl", '{"text": "one"}\n[1]\n', "line 2: want a text or an object with one."),
        ("a.jsonl", '{"text": "o\\u0000e"}\n"two"\n', "line 1 has a NUL character; take it out."),
        ("a.jsonl", '"one"\n"t\\u0000o"\n', "line 2 has a NUL character; take it out."),
        (
            "a.jsonl",
            '"\\ud800"\n{"text": "two"}\n',
            "line 1 is not valid Unicode (a lone surrogate)",
        ),
        ("a.jsonl", '{"text": "\\ud800"}\n', "line 1 is not valid Unicode (a lone surrogate)"),
        ("a.jsonl", '{"text": 3}\n', "line 1: text is no text."),
        ("a.csv", 'x,text\n1,"two\n', "line 2: a quotation mark is not closed"),
        ("a.csv", "x,text\n1,2,3\n", "line 2 has 3 fields and the first line 2"),
        ("a.csv", "sep=|\na|b\n", 'its first line says that "|" parts fields'),
        ("a.csv", "", "it has no texts."),
        ("a.csv", "text\n", "it has no texts."),
        ("a.xlsx", b"PK\x03\x04\0", ".xlsx is not read here; save it as .txt, .csv"),
        ("a.txt", "one".encode("utf-16"), "it begins with the mark of UTF-16; save it as UTF-8."),
        (
            "a.txt",
            "zwölf".encode("utf-16-le"),
            "it has bytes of zero in its first line, as UTF-16 and UTF-32 have; save it as UTF-8.",
        ),
        ("a.txt", b"one\0\n", "it has bytes of zero in its first line, as UTF-16 and UTF-32 have"),
        ("a.csv", b"text\r\none\r\n\r\nt\0wo\r\n", "line 4 has a NUL character; take it out."),
        ("a.csv", b"text\nz\xfcrich\n", "it is no text in UTF-8"),
    ],
)
def test_a_damaged_file_is_reported(page, name, content, message):
    before = page.locator("#texts").input_value()
    take(page, name, content)
    expect(page.locator("#status")).to_contain_text(f"{name}: {message}")
    expect(page.locator("#status")).to_have_class("wrong")
    expect(page.locator("#texts")).to_have_value(before)


# Each is a line; what cannot be a text is refused at both doors.
_JSON_LINES = [
    '"one"', '{"text": "two"}', '{"id": 1, "text": "three"}', '"a\\u0000"', '{"text": "b\\u0000"}',
    '{"text": "c", "id": "\\u0000"}', '"\\ud800"', '{"text": "\\udc00"}', "3", "null", "[]",
]  # fmt: skip


@pytest.mark.slow
def test_json_lines_of_any_kinds_are_taken_as_on_the_command_line(page, tmp_path):
    """A mixture of texts and objects was refused, and the message named a line that was valid."""
    for lines in itertools.permutations(_JSON_LINES, 2):
        content = '{"text": "first"}\n' + "\n".join(lines)
        (tmp_path / "a.jsonl").write_text(content)
        try:
            expected = read_file(str(tmp_path / "a.jsonl")).texts
        except InputError as error:
            (number,) = re.findall(r"line (\d+)", str(error))
            take(page, "a.jsonl", content)
            expect(page.locator("#status")).to_contain_text(f"a.jsonl: line {number}")
        else:
            page.fill("#texts", "")
            take(page, "a.jsonl", content)
            expect(page.locator("#texts")).to_have_value("\n".join(expected))


@pytest.mark.slow
def test_what_is_no_text_is_named_as_on_the_command_line(page):
    """All of it was said to be no text in UTF-8, though a byte of zero is."""
    for content in [*_NO_TEXT, b"a\0\n", b"a\0", b"\0", b"\xff\0"]:
        why = no_text(content)
        assert why is not None
        # Here no ending of a name has a file unpacked, and users may have no command line.
        why = re.sub(r", (as by|or name it) .*", "", why)
        assert read(page, "a.txt", content) == {"error": f"it {why}."}


# Those of Python's splitlines which end no line of a file, and other white space.
@pytest.mark.slow
@pytest.mark.parametrize(
    "sign", ["\u2028", "\u2029", "\v", "\f", "\x1c", "\x85", "\xa0", "\t", "  "]
)
@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", "{}\ntwo"), ("a.csv", "id,text\n1,{}\n2,two"), ("a.jsonl", '"{}"\n"two"')],
)
def test_what_ends_no_line_stays_as_on_the_command_line(page, name, content, sign):
    """It became a space, and scores were of another text than on the command line."""
    text = f"one{sign}more"
    if name == "a.jsonl":
        content = json.dumps(text, ensure_ascii=sign < " ") + '\n"two"'
    else:
        content = content.format(text)
    (found, _) = texts_of(name, content)
    assert found == text
    take(page, name, content)
    expect(page.locator("#status")).to_contain_text("2 texts of")
    assert page.evaluate("document.getElementById('texts').value") == f"{text}\ntwo"
    with page.expect_request("**/v1/similarity") as asked:
        page.click("#compare")
    assert asked.value.post_data_json["rows"] == [text, "two"]


def texts_of(name: str, content: str) -> list[str]:
    """Return the texts that the command line reads."""
    kind = ENDINGS[name[1:]]
    values = [record.value for record in read_records(io.BytesIO(content.encode()), kind)]
    return [value["text"] if isinstance(value, dict) else value for value in values]


@pytest.mark.slow
def test_of_many_texts_the_first_are_taken(page):
    take(page, "a.txt", "\n".join(f"text {i}" for i in range(60)))
    expect(page.locator("#status")).to_have_text(
        "The first 50 of 60 texts of a.txt. For more, use trajsim matrix."
    )
    assert page.locator("#texts").input_value().count("\n") == 49


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n",
        "\ufeffa;b\r\n1;2,5\r\n",
        "a\tb\n1\t2\n",
        'a,"b, c"\n"1\n2",3\n\n \n"""4""",\n',
        '"a;b",c\n1,2\n',
        "a\n1\n",
        "a,b,c\n1\n,2\n",
        'a,b\n1 "2" 3,4\n',
        "Ticket;Said, verbatim;Entry\n1;one, two;three\n",
        "a;b,c\n1;2\n3;4\n",
        "a;b\n1,2;3\n4,5;6\n",
        "a,b;c,d\n1,2;3,4\n",
        "a\tb, c\n1\t2, 3\n",
        "a,b,c;d\n1,2\n3,4\n",
        'a,b\r\n"1\r\n2",3\r\n',
        '\n\na;b\n"1;2";3',
        'a,b\n"1"x,2\n',
        'a,b\n1,"2\n3,4\n',
        "a,b\n1,2,3\n",
        "a,b\n1,2\r3,4\n",
        "a,b\n\u200b\n1,2\n\u2060 \u200b\n\u200b,\n",
        "sep=;\na;b,c\n1;2\n",
        '\ufeff"SEP=,"\r\na;b,c\r\n\r\n1,"2\n3"\r\n4,5\r\n',
        "sep=\t\na\n1\n",
        "a\nsep=;\n",
        " a ,b\n1,2\n",
        " a ,a,a\u00a0, \n1,2,3,4\n",
        "a, ,,b\n1,2,3,4\n",
        'a\tb\nc\rd\t"e\n"\n"f ""g"" h"\ti\n',
        'a\tb\nc\rd\t"e\n""f"" g"\nh\ti\n',
        'a,b\nc\rd,"e\n;f;g\n;h;i"\n1,2;3\n',
        "",
    ],
)
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_tables_are_read_as_on_the_command_line(page, kind, content):
    assert_as_on_the_command_line(page, kind, content)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_tables_of_any_characters_are_read_as_on_the_command_line(page, kind):
    choice = random.Random(1)
    pieces = ["a", "b ", '"', ",", ";", "\t", "\na", "\r\nb", '"c;\nd"', '""', "e,f", "\r"]
    for _ in range(400):
        content = "".join(choice.choices(pieces, k=choice.randint(1, 24)))
        assert_as_on_the_command_line(page, kind, f"a{content}")


@pytest.mark.slow
@pytest.mark.parametrize("names", [[" ", "  "], ["", " "], [" a", "a"], [" ", " a "]])
def test_fields_whose_names_differ_by_blanks_alone_are_all_read(
    page: Page, names: list[str]
) -> None:
    """Of two that had blanks alone, one was lost."""
    data = json.dumps(dict(zip(names, ["one", "two"], strict=True))).encode()
    found = read(page, "a.jsonl", data)
    (record,) = read_records(io.BytesIO(data), "jsonl")
    (row,) = found["rows"]
    assert dict(zip(found["names"], row["fields"], strict=True)) == record.value


def assert_as_on_the_command_line(page: Page, kind: str, content: str) -> None:
    data = content.encode()
    found = read(page, f"a.{kind}", data)
    refusal, expected = "", []
    try:
        expected = list(read_records(io.BytesIO(data), kind))
    except InputError as error:
        refusal = str(error)
    if refusal:
        # Of two columns of one name the user can choose here.
        if "two of its columns" not in refusal:
            assert line_of(found["error"]) == line_of(refusal), repr(content)
        return
    wrong = next((record for record in expected if record.error), None)
    if wrong is not None:
        assert line_of(found["error"]) == wrong.number, repr(content)
        return
    assert "error" not in found, repr(content)
    names, rows = found["names"], found["rows"][1:]
    if names.count("") > 1:  # The page shows their numbers, and the command line names them so.
        names = [name or f"column {number}" for number, name in enumerate(names, 1)]
    assert [row["line"] for row in rows] == [record.number for record in expected]
    # Where returns alone end lines, the page takes those within a text for line ends too.
    texts = [
        {name: _one_end(text) for name, text in zip(names, row["fields"], strict=False)}
        for row in rows
    ]
    assert texts == [
        {name: _one_end(text) for name, text in record.value.items()} for record in expected
    ]


def line_of(error: str) -> int:
    """Return the number of the line that an error begins with."""
    line = re.match(r"line (\d+)", error)
    assert line is not None, error
    return int(line[1])


def _one_end(text: str) -> str:
    return re.sub(r"[\r\n]+", "\n", text).rstrip("\n")


def test_names_and_endings_are_those_of_the_command_line():
    columns = (STATIC / "columns.js").read_text("utf-8")
    listed = re.search(r"const NAMES = \[(.*?)\]", columns, re.S)
    assert listed is not None
    assert tuple(re.findall(r'"(\w+)"', listed[1])) == TEXT_NAMES
    pairs = re.search(r"const PAIRS = \[(.*?)\n\];", columns, re.S)
    assert pairs is not None
    assert tuple(re.findall(r'\["(\w+)", "(\w+)"\]', pairs[1])) == PAIR_NAMES
    files = (STATIC / "files.js").read_text("utf-8")
    kinds = re.search(r"const KINDS = \{(.*?)\}", files, re.S)
    others = re.search(r"const OTHERS = \[(.*?)\]", files, re.S)
    assert kinds is not None
    assert others is not None
    taken = dict(re.findall(r'(\w+): "(\w+)"', kinds[1]))
    refused = set(re.findall(r'"(\w+)"', others[1]))
    assert taken.items() <= {ending[1:]: kind for ending, kind in ENDINGS.items()}.items()
    assert taken.keys() | refused == {ending[1:] for ending in ENDINGS}


@pytest.mark.slow
def test_of_several_files_of_texts_none_is_left_out_in_silence(page):
    files = [
        {"name": name, "mimeType": "text/plain", "buffer": b"one\n"} for name in ("a.txt", "b.txt")
    ]
    page.set_input_files("#file", files)
    expect(page.locator("#status")).to_have_text("a.txt: give one file of texts at a time.")


@pytest.mark.slow
def test_what_is_said_while_work_runs_stays(page):
    """The line of the work took the place of a refusal within a tenth of a second."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/similarity", hold)
    status = page.locator("#status")
    page.fill("#texts", "one\ntwo")
    page.click("#compare")
    expect(status).to_contain_text(re.compile(r"^Comparing … \d"))
    files = [
        {"name": name, "mimeType": "text/plain", "buffer": b"one\n"} for name in ("a.txt", "b.txt")
    ]
    page.set_input_files("#file", files)
    refusal = r"^a\.txt: give one file of texts at a time\. "
    expect(status).to_have_text(re.compile(refusal + r"Comparing … \d"))
    expect(status).to_have_class("wrong")
    held.pop().continue_()
    expect(status).to_have_text(re.compile(refusal + "toy, "))
    expect(status).to_have_class("wrong")
    page.click("#compare")
    expect(status).to_have_text(re.compile("^Comparing … "))
    expect(status).not_to_have_class("wrong")
    take(page, "a.txt", "one\nthree\n")
    expect(status).to_have_text(re.compile(r"^2 texts of a\.txt\. Comparing … "))
    page.click("#cancel")
    expect(status).to_have_text("2 texts of a.txt. Cancelled.")
    expect(status).not_to_have_class("wrong")


@pytest.mark.slow
def test_a_map_of_other_texts_is_pale(page):
    page.fill("#texts", "one\ntwo")
    page.press("#texts", "Control+Enter")
    expect(page.locator("#map td")).to_have_count(4)
    expect(page.locator("#result")).not_to_have_class("stale")
    take(page, "a.txt", "one\nthree\n")
    expect(page.locator("#result")).to_have_class("stale")
    take(page, "a.txt", "one\ntwo\n")
    expect(page.locator("#result")).not_to_have_class("stale")
    page.type("#texts", "s")
    expect(page.locator("#result")).to_have_class("stale")
    page.press("#texts", "Control+Enter")
    expect(page.locator("#map tbody th").first).to_contain_text("1.")
    expect(page.locator("#result")).not_to_have_class("stale")
