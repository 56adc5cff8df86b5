import json
import logging

from service.logs import JsonFormatter, TextFormatter


def test_the_message_for_terminals_with_colours_is_left_out() -> None:
    # As uvicorn writes it: with a place that is not filled.
    record = logging.makeLogRecord(
        {
            "msg": "Started server process [%d]",
            "args": (7,),
            "color_message": "Started server process [\x1b[36m%d\x1b[0m]",
            "request_id": "abc",
        }
    )
    content = json.loads(JsonFormatter().format(record))
    assert content["event"] == "Started server process [7]"
    assert content["request_id"] == "abc"
    assert "color_message" not in content
    assert TextFormatter().format(record).endswith("Started server process [7] request_id=abc")
