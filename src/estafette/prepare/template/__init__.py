"""The template language (contract section 6): a text with tags, compiled once to closures, run with JSON values. Pure.

    compile_template(source) ─► Compiled ─► render(compiled, Facts(...)) ─► Rendered(text, error)

Takes: a source, and facts that are JSON values and nothing else. Gives: the text, or an error with its line, column and variable.
Owns: the language, its functions, its budgets; the older `[[var:name]]` tags; MJML to HTML. Never: a Python object, an attribute, a call that is not in
`functions.py`; more work than the budget allows, whatever the template says.
"""
