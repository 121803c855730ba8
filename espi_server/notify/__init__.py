"""Telling people and machines: everything that leaves the house is an outbox row first."""
