"""Hosts that can make a relay and let people in."""
