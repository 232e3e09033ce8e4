import json
import subprocess
import sys
from pathlib import Path

KEYSTEAD = str(Path(sys.executable).with_name("keystead"))
BAD = b'{"id":null,"error":{"type":"InvalidCase","message":"The case is not valid JSON."}}\n'


def simulate():
    return subprocess.Popen(
        [KEYSTEAD, "policy", "simulate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )


def test_the_example_is_answered_to_the_byte():
    """One case and its answer, as the simulation contract has them."""
    path = Path(__file__).parents[1] / "policies" / "example.jsonl"
    asked, expected = path.read_bytes().splitlines(keepends=True)
    with simulate() as process:
        told, _ = process.communicate(asked)
    assert told == expected
    assert process.returncode == 0


def test_wrong_use_is_told_on_standard_error_alone():
    given = subprocess.run(
        [KEYSTEAD, "policy", "simulate", "--nonsense"], capture_output=True, input=b"", check=False
    )
    assert given.returncode == 2
    assert given.stdout == b""
    assert given.stderr


def test_each_case_is_answered_before_the_next_is_written():
    with simulate() as process:
        for number in range(3):
            process.stdin.write(b'{"id":%d}\n' % number)
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def test_a_case_may_arrive_in_pieces_and_the_last_needs_no_line_end():
    with simulate() as process:
        for piece in (b'{"i', b'd":"a"}\n\n \t\r\n{"id', b'":"b"}'):
            process.stdin.write(piece)
        process.stdin.close()
        answers = [json.loads(line) for line in process.stdout.read().splitlines()]
    assert [answer["id"] for answer in answers] == ["a", "b"]
    assert process.returncode == 0


def test_no_line_ends_the_run():
    lines = [b"\xff\xfe", b"[" * 100_000, b'{"a":1}' * 2, b"\x00", b"7" * 5000, b'"' + b"x" * 300_000]
    with simulate() as process:
        answers, _ = process.communicate(b"\n".join([*lines, b'{"id":"last"}\n']))
    answers = answers.splitlines(keepends=True)
    assert len(answers) == len(lines) + 1
    assert answers[:4] == [BAD] * 4
    assert json.loads(answers[-1])["id"] == "last"
    assert process.returncode == 0


def test_answers_keep_the_order_of_many_cases():
    cases = b"".join(b'{"id":"%d"}\n' % number for number in range(3000))
    with simulate() as process:
        answers, _ = process.communicate(cases)
    assert [json.loads(line)["id"] for line in answers.splitlines()] == [
        str(number) for number in range(3000)
    ]
