"""XML compared as trees: elements, namespaces, attributes, text, order."""

BLANKS = " \t\r\n"


def tree(element):
    """The element as nested tuples; prefixes, comments and blank text between elements do not count."""
    texts, children = [element.text or ""], []
    for child in element:
        if isinstance(child.tag, str):
            children.append(tree(child))
            texts.append(child.tail or "")
        else:
            texts[-1] += child.tail or ""
    blank_aside = [text.strip(BLANKS) for text in texts] if children else texts
    return element.tag, sorted(element.attrib.items()), blank_aside, children
