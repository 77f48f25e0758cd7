"""The door for programs (cli.md, "Python"): the two roads as functions, the same in two steps, looking, and relays."""

from alive_p2p.api.roads import inspect, receive, share, undo, verify

__all__ = ["inspect", "receive", "share", "undo", "verify"]
