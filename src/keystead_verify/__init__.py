"""`keystead-verify`: checks a log's evidence without believing the program that wrote it.

Owns a second implementation of the published formats (docs/evidence/log-format.md), on the standard library and the
`cryptography` package. Refuses to import anything of Keystead: a defect there must not be repeated here.
"""
