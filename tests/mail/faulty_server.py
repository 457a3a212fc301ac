"""A mail server that fails as it is told: faulty_server.py PORT FOLDER

FOLDER/mode is read at each mail: take, later (451), refuse (554), drop (the mail is kept, the connection cut before the
answer) or hold (the mail is kept, and never answered). What it keeps it writes to FOLDER/mail.
"""

import asyncio
import itertools
import os
import sys

from aiosmtpd.smtp import SMTP

port, folder = int(sys.argv[1]), sys.argv[2]
numbers = itertools.count()


class Handler:
    async def handle_DATA(self, server, session, envelope):
        with open(os.path.join(folder, "mode")) as file:
            mode = file.read().strip()
        if mode == "later":
            return "451 Come again later"
        if mode == "refuse":
            return "554 No such mail here"
        path = os.path.join(folder, "mail", f"{next(numbers):04}")
        with open(path + ".part", "wb") as file:
            file.write(envelope.content)
        os.rename(path + ".part", path + ".eml")
        if mode == "drop":
            server.transport.abort()
        elif mode == "hold":
            await asyncio.Event().wait()
        return "250 Taken"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), hostname="localhost"), "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main())
