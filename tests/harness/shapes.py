"""Answers as they were sent, held to botocore's model: members, types, values that are listed, and errors."""

import json

from keystead.wire.pattern import compiled

COMMON = {
    "AccessDeniedException",
    "ValidationException",
    "UnrecognizedClientException",
    "SerializationException",
}
"""Errors of every operation (API references, "Common errors"), which models do not repeat."""
SIMPLE = {
    "string": str,
    "timestamp": (int, float),
    "integer": int,
    "long": int,
    "boolean": bool,
    "double": (int, float),
    "float": (int, float),
}


class Watch:
    """Holds every answer to a client; `wrong` is what was found, `seen` the operations that were answered."""

    def __init__(self, *clients):
        self.wrong, self.seen = [], set()
        for client in clients:
            self.watch(client)

    def watch(self, client):
        client.meta.events.register("before-parse", self._answered)

    def _answered(self, response_dict, operation_model, **_):
        body = json.loads(response_dict["body"] or b"{}")
        if response_dict["status_code"] >= 300:
            self.wrong += list(_error(response_dict, body, operation_model))
            return
        self.seen.add(operation_model.name)
        if operation_model.output_shape is None:
            self.wrong += [f"{operation_model.name}: an answer of {body}"] if body else []
        else:
            self.wrong += list(faults(operation_model.output_shape, body, operation_model.name))


def _error(response, body, operation):
    code = body["__type"].rpartition("#")[2]
    modelled = {
        shape.metadata.get("error", {}).get("code", shape.name): shape for shape in operation.error_shapes
    }
    if code not in modelled:
        if code not in COMMON:
            yield f"{operation.name}: {code} is not among its errors"
        return
    status = modelled[code].metadata.get("error", {}).get("httpStatusCode", 400)
    if response["status_code"] != status:
        yield f"{operation.name}: {code} has status {response['status_code']}"
    said = {name: value for name, value in body.items() if name not in {"__type", "message", "Message"}}
    yield from faults(modelled[code], said, f"{operation.name} {code}")


def faults(shape, value, where):
    """What is wrong with a value that is to have a shape."""
    if shape.type_name == "structure":
        yield from _structure(shape, value, where)
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from faults(shape.member, item, f"{where}[{number}]")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from faults(shape.value, item, f"{where}.{name}")
    else:
        yield from _simple(shape, value, where)


def _structure(shape, value, where):
    for name in value.keys() - shape.members.keys():
        yield f"{where}: {name} is no member of {shape.name}"
    for name in set(shape.required_members) - value.keys():
        yield f"{where}: {name} is required in {shape.name}"
    for name in value.keys() & shape.members.keys():
        yield from faults(shape.members[name], value[name], f"{where}.{name}")


def _simple(shape, value, where):
    wrong_type = isinstance(value, bool) and shape.type_name != "boolean"
    if wrong_type or not isinstance(value, SIMPLE[shape.type_name]):
        yield f"{where}: {value!r} is no {shape.type_name}"
    elif shape.type_name == "string":
        listed, pattern = getattr(shape, "enum", ()), shape.metadata.get("pattern")
        if listed and value not in listed:
            yield f"{where}: {value!r} is none of {listed}"
        if pattern and not compiled(pattern).search(value):
            yield f"{where}: {value!r} does not fit {pattern}"
