# SPDX-License-Identifier: Apache-2.0
"""Reads scripts of Nuke: the words of Tcl, and the stack of nodes. Strict where Nuke would guess."""

from dataclasses import dataclass, field


class ScriptError(ValueError):
    """It is no script, or one that Nuke would not read as it was meant."""


@dataclass(frozen=True)
class Word:
    """A word, and whether it was in braces."""

    text: str
    braced: bool = False


@dataclass
class UserKnob:
    """What ``addUserKnob`` says."""

    kind: int
    name: str
    label: str = ""
    tip: str = ""
    flags: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    code: str = ""


@dataclass
class ScriptNode:
    """A node as the script has it; ``inputs`` are its nodes, None for one that is not connected."""

    kind: str
    knobs: dict[str, str] = field(default_factory=dict)
    user: dict[str, UserKnob] = field(default_factory=dict)
    inputs: list["ScriptNode | None"] = field(default_factory=list)
    inside: "list[ScriptNode] | None" = None

    def within(self, name: str) -> "ScriptNode":
        """A node of a group."""
        (found,) = [node for node in self.inside or () if node.knobs.get("name") == name]
        return found


_ESCAPES = {"n": "\n", "t": "\t"}


def commands(text: str) -> list[list[Word]]:
    """Commands of words, by the rules of Tcl.

    Raises:
        ScriptError: Braces or quotes do not balance, or a quoted word would run a command or read a variable.
    """
    found: list[list[Word]] = [[]]
    at = 0
    while at < len(text):
        character = text[at]
        if character in "\n;":
            found.append([])
            at += 1
        elif character.isspace():
            at += 1
        elif character == "{":
            end = _brace(text, at)
            found[-1].append(Word(text[at + 1 : end], braced=True))
            at = _ended(text, end + 1)
        elif character == '"':
            word, end = _quoted(text, at + 1)
            found[-1].append(Word(word))
            at = _ended(text, end)
        else:
            end = _bare(text, at)
            found[-1].append(Word(text[at:end]))
            at = end
    return [command for command in found if command]


def _brace(text: str, start: int) -> int:
    depth, at = 0, start
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise ScriptError(f"a brace is open: {text[start : start + 40]!r}")


def _quoted(text: str, at: int) -> tuple[str, int]:
    word = ""
    while at < len(text):
        character = text[at]
        if character == '"':
            return word, at + 1
        if character in "[$":
            raise ScriptError(f"{character} in quotes is run: {text[at : at + 40]!r}")
        if character == "\\":
            at += 1
            word += _ESCAPES.get(text[at], text[at])
        else:
            word += character
        at += 1
    raise ScriptError("a quote is open")


def _bare(text: str, at: int) -> int:
    start = at
    if text[at] == "[":
        end = text.index("]", at) + 1
        return _ended(text, end)
    while at < len(text) and not text[at].isspace() and text[at] != ";":
        if text[at] in '{}"\\[]':
            raise ScriptError(f"{text[at]} in a bare word: {text[start : start + 40]!r}")
        at += 1
    return at


def _ended(text: str, at: int) -> int:
    if at < len(text) and not text[at].isspace() and text[at] != ";":
        raise ScriptError(f"something follows a closed word: {text[at : at + 20]!r}")
    return at


def read(text: str, selected: ScriptNode | None = None) -> list[ScriptNode]:
    """The nodes of a script, in order.

    Args:
        text: Of the script.
        selected: What ``cut_paste_input`` is.

    Raises:
        ScriptError: The stack does not come out even, or a knob is no knob.
    """
    stack: list[ScriptNode | None] = [selected]
    outer: list[tuple[ScriptNode, list[ScriptNode | None], list[ScriptNode], dict[str, ScriptNode | None]]] = []
    variables: dict[str, ScriptNode | None] = {}
    nodes: list[ScriptNode] = []
    for command in commands(text):
        words = [word.text for word in command]
        if words[0] == "set" and len(words) == 3 and words[2] == "[stack 0]":
            variables[words[1]] = stack[-1]
            if words[1] == "cut_paste_input":
                stack.pop()
        elif words[0] == "push" and len(words) == 2 and words[1].startswith("$"):
            stack.append(variables[words[1][1:]])
        elif words == ["end_group"]:
            group, above, siblings, variables_above = outer.pop()
            if [node.kind for node in stack if node] != ["Write", "Output"]:
                raise ScriptError(f"the group ends with {stack} on its stack")
            group.inside, nodes, stack, variables = nodes, siblings, above, variables_above
        elif len(command) == 2 and command[1].braced and words[0][0].isupper():
            node = _node(words[0], words[1], stack)
            nodes.append(node)
            stack.append(node)
            if node.kind == "Group":
                outer.append((node, stack, nodes, variables))
                stack, nodes, variables = [], [], {}
        else:
            raise ScriptError(f"no command of a script: {words}")
    if outer or len(stack) != 1:
        raise ScriptError(f"{len(outer)} groups are open, {len(stack)} nodes are on the stack")
    return nodes


def _node(kind: str, body: str, stack: list[ScriptNode | None]) -> ScriptNode:
    node = ScriptNode(kind)
    for words in commands(body):
        if len(words) != 2:
            raise ScriptError(f"{kind} has a knob of {len(words) - 1} values: {[word.text for word in words]}")
        name, value = words[0].text, words[1].text
        if name == "addUserKnob":
            knob = _user_knob(value)
            node.user[knob.name] = knob
        elif name in node.knobs:
            raise ScriptError(f"{kind} has {name} twice")
        else:
            node.knobs[name] = value
    count = int(node.knobs.pop("inputs", "1"))
    if count > len(stack):
        raise ScriptError(f"{kind} takes {count} nodes off a stack of {len(stack)}")
    node.inputs = [stack.pop() for _ in range(count)]
    return node


def _user_knob(text: str) -> UserKnob:
    ((kind, name, *rest),) = commands(text)
    knob = UserKnob(int(kind.text), name.text)
    words = iter(rest)
    for word in words:
        match word.text:
            case "l":
                knob.label = next(words).text
            case "t":
                knob.tip = next(words).text
            case "M":
                knob.choices = tuple(each.text for each in commands(next(words).text)[0])
            case "R":
                knob.bounds = float(next(words).text), float(next(words).text)
            case "T":
                knob.code = next(words).text
            case flag if flag[0] in "+-" and flag[1:] in ("STARTLINE", "INVISIBLE"):
                knob.flags += (flag,)
            case other:
                raise ScriptError(f"{other} says nothing of a user knob")
    return knob
