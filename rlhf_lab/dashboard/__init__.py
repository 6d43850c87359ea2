"""The lab, served to a team: `serve(directory)`, or `rlhf-lab serve DIRECTORY`.

Needs Panel: `pip install rlhf-lab[dashboard]`. The server's process never imports torch; model
work is done by a worker process that follows the store.
"""
