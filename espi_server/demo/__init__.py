"""The demo: nine households of three invented utilities, as real Green Button files that come in through the door.

`households.every()` says who they are, `files.write(folder, end_day)` writes what their utilities would deliver,
`demo.prepare(folder)` makes a served installation of it. Nothing here reaches into the database by a back door.
"""
