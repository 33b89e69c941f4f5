"""Whether the person who looks at the page sits at this machine: only they may change the machine itself."""

import streamlit as st

from playground.ui import allowed_hosts

FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Forwarded-Host")


def is_at_this_machine() -> bool:
    """True where nobody else can be meant: the server listens to this machine alone and knows no other name of its own,
    the connection comes from here, and no proxy has passed it on.

    A server that is open to others says False to everybody: behind a proxy of this machine, all connections come from here.
    """
    if allowed_hosts.is_open() or any(not allowed_hosts.is_loopback(name) for name in allowed_hosts.known_names()):
        return False
    address = st.context.ip_address  # None: a connection from localhost
    if address is not None and not allowed_hosts.is_loopback(address):
        return False
    return not any(st.context.headers.get(name) for name in FORWARDED)
