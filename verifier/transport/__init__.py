"""Routes to a device, behind one small protocol: `ask(request)` gives answers. Nothing else in the tool opens a socket.

A request is a value, so it can be written into the transcript, refused by a guard, recorded and played back.
"""
