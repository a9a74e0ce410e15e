"""The test server does what its scripts say, for the other tests lean on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.conftest import FrameServer


def test_scripts_are_served_in_order_and_the_last_repeats(frame_server: FrameServer) -> None:
    frame_server.script("/a", frames=[b"1"])
    frame_server.script("/a", 429, {"retry-after": "3"}, [b"2"])
    with httpx.Client(base_url=frame_server.url) as client:
        answers = [client.post("/a?q=1", json={"n": n}) for n in range(3)]
    assert [answer.content for answer in answers] == [b"1", b"2", b"2"]
    assert [answer.status_code for answer in answers] == [200, 429, 429]
    assert answers[1].headers["retry-after"] == "3"
    assert [request.json for request in frame_server.requests] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert [request.path for request in frame_server.requests] == ["/a?q=1"] * 3
    assert {request.connection for request in frame_server.requests} == {1}


def test_frames_arrive_one_by_one_and_byte_for_byte(frame_server: FrameServer) -> None:
    frames = [b"data: \xff\xf0", b"\x9f\r\n", b"\r\n"]
    frame_server.script("/s", frames=frames, pause_s=0.05)
    started = time.monotonic()
    with httpx.stream("GET", f"{frame_server.url}/s") as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert list(answer.iter_raw()) == frames
    assert time.monotonic() - started >= 0.1


def test_gzip_is_flushed_with_each_frame(frame_server: FrameServer) -> None:
    frame_server.script("/z", frames=[b"data: one\n\n", b"data: two\n\n"], gzip=True, pause_s=0.05)
    with httpx.stream("GET", f"{frame_server.url}/z") as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert list(answer.iter_bytes()) == [b"data: one\n\n", b"data: two\n\n"]


def test_a_cut_drops_the_connection_in_the_body(frame_server: FrameServer) -> None:
    frame_server.script("/c", frames=[b"data: one\n\n"], cut=True)
    with (
        httpx.stream("GET", f"{frame_server.url}/c") as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        list(answer.iter_bytes())


def test_clients_that_leave_are_noticed(frame_server: FrameServer) -> None:
    frame_server.script("/l", frames=[b"data: one\n\n", b"data: two\n\n"], pause_s=5)
    assert not frame_server.wait_hung_up(timeout_s=0)
    with httpx.stream("GET", f"{frame_server.url}/l") as answer:
        next(answer.iter_bytes())
    assert frame_server.wait_hung_up()
    assert frame_server.hung_up == ["/l"]


def test_a_path_without_a_script_is_not_found(frame_server: FrameServer) -> None:
    answer = httpx.get(f"{frame_server.url}/nowhere")
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        404,
        "no script for /nowhere",
    )
