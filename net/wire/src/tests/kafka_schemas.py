#!/usr/bin/env python3
"""Writes kafka_schemas.txt anew from the message schemas inside a kafka-clients jar.

    python3 kafka_schemas.py KAFKA_CLIENTS_JAR

The messages are those that the file names already: to add one, add a line with its name and run this.
"""

import json
import pathlib
import re
import sys
import zipfile

FACTS = pathlib.Path(__file__).with_name("kafka_schemas.txt")


def snake_case(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name[0].upper() + name[1:]).lower()


def bounds(versions):
    first, _, last = versions.partition("-")
    return int(first.rstrip("+")), 32767 if versions.endswith("+") else int(last or first)


def field_line(field, versions, depth):
    line = f"{'  ' * depth}{snake_case(field['name'])} {field['type']} {versions}"
    if field.get("nullableVersions", "none") != "none":
        line += f" nullable {field['nullableVersions']}"
    if str(field.get("ignorable")).lower() == "true":
        line += " ignorable"
    if "tag" in field:
        line += f" tag {field['tag']}"
    default = str(field.get("default", ""))
    default = str(int(default, 0)) if re.fullmatch(r"-?(0x)?[0-9a-f]+", default) else default
    if default not in ("", "0", "false", "False"):
        line += f" default {default}"
    return line


def field_lines(fields, common, served, outer_first=0, depth=1):
    for field in fields:
        first, last = bounds(field["versions"])
        if first > served[1] or last < served[0]:
            continue
        # A nested field is there no earlier than its struct, whatever its own row says.
        first = max(first, outer_first)
        yield field_line(field, f"{first}+" if last == 32767 else f"{first}-{last}", depth)
        inner = field.get("fields") or common.get(field["type"].removeprefix("[]"), [])
        yield from field_lines(inner, common, served, first, depth + 1)


def message_lines(jar, name):
    def schema(name):
        text = jar.read(f"common/message/{name}.json").decode()
        return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))

    message = schema(name)
    first, last = bounds(message["validVersions"])
    # Kafka marks an unfinished last version in the request's schema only.
    if schema(re.sub("Response$", "Request", name)).get("latestVersionUnstable"):
        last -= 1
    yield f"{name} {first}-{last} flexible {message['flexibleVersions']}"
    common = {struct["name"]: struct["fields"] for struct in message.get("commonStructs", [])}
    yield from field_lines(message["fields"], common, (first, last))


def main():
    old = FACTS.read_text().splitlines()
    names = [line.split()[0] for line in old if line and line[0] not in " #"]
    comments = [line for line in old if line.startswith("#")]
    with zipfile.ZipFile(sys.argv[1]) as jar:
        lines = [line for name in names for line in message_lines(jar, name)]
    FACTS.write_text("\n".join(comments + lines) + "\n")


main()
