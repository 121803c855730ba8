"""The authorization server: Authlib is the engine, the rows, the policies and the checks are ours.

Nothing here knows of HTTP frameworks: `request` takes what was sent, `server` answers.
"""
