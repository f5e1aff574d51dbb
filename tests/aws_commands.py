"""Commands of the AWS command line, run by boto3: as the runbooks write them."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore import xform_name

_PRESENTATION = {"query", "output"}


def commands(page: Path, variables: Mapping[str, str]) -> list[list[str]]:
    """The commands of a page in order, as words, with its variables filled in."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [
        [re.sub(r"\$([A-Z_]+)", lambda name: variables[name[1]], word) for word in shlex.split(line)]
        for line in lines
    ]


def run(words: list[str]) -> Any:
    """Run `aws SERVICE OPERATION --option value …`."""
    _, service, operation, *rest = words
    client = boto3.client(service)
    shapes = {xform_name(name, "-"): (name, shape) for name, shape in _input(client, operation).items()}
    arguments: dict[str, Any] = {}
    for place, word in enumerate(rest):
        if word.startswith("--") and (option := word.removeprefix("--")) not in _PRESENTATION:
            name, shape = shapes[option.removeprefix("no-")]
            if shape.type_name == "boolean":
                arguments[name] = not option.startswith("no-")
            else:
                arguments[name] = _value(shape, rest[place + 1])
    return getattr(client, operation.replace("-", "_"))(**arguments)


def _input(client: Any, operation: str) -> Mapping[str, Any]:
    name = client.meta.method_to_api_mapping[operation.replace("-", "_")]
    return client.meta.service_model.operation_model(name).input_shape.members


def _value(shape: Any, text: str) -> Any:
    if shape.type_name == "structure":
        pairs = (pair.split("=", 1) for pair in text.split(","))
        return {name: _value(shape.members[name], value) for name, value in pairs}
    return {"boolean": lambda: text == "true", "integer": lambda: int(text)}.get(
        shape.type_name, lambda: text
    )()
