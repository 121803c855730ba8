"""Instruments for people who test conformance: judging files, and looking things up in the schema."""
