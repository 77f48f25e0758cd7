#!/bin/sh
# SessionStart: what waits in the relay. Reads the hook's JSON from standard input and hands it on.
#
# Exits with 0, or with 1 where relay.json cannot be read or state.json not be written. Never with 2: to the agent that
# would be a refusal. A tool that is not installed gets one line, and is no failure of the session.

case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac

said=$("$here/../../bin/alive-p2p" hook session-start 2>&1)
code=$?

case $code in
0 | 127)
	[ -z "$said" ] || printf '%s\n' "$said"
	exit 0
	;;
*)
	printf '%s\n' "${said:-alive-p2p ended with code $code}" >&2
	exit 1
	;;
esac
