"""A device made of pymodbus, as a process of its own, since its identity is one per process.

    python pymodbus_device.py PORT [rtu]

Identification of seven objects, of which two are long enough for a second answer; file records and FIFO with values that can be
computed.
"""

from __future__ import annotations

import asyncio
import struct
import sys

from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.datastore import ModbusServerContext
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.file_message import (
    FileRecord,
    ReadFifoQueueRequest,
    ReadFifoQueueResponse,
    ReadFileRecordRequest,
    ReadFileRecordResponse,
)
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

IDENTITY = {
    0: "Liftwerk",
    1: "LW-77",
    2: "V3.1.4",
    3: "http://liftwerk.invalid/" + "u" * 150,
    4: "hoist drive " + "n" * 120,
    5: "LW-77-B",
    6: "hoist",
}


class Records(ReadFileRecordRequest):
    """Function 20: register r of file f holds f * 1000 + r, modulo 65536. The library's own server gives a dummy."""

    def decode(self, data: bytes) -> None:
        self.asked = struct.unpack(">BHHH", data[1:8])

    async def datastore_update(self, context: ModbusServerContext, device_id: int) -> ModbusPDU:
        _, file, first, count = self.asked
        if file > 4:
            return ExceptionResponse(20, 2)
        data = struct.pack(f">{count}H", *((file * 1000 + each) & 0xFFFF for each in range(first, first + count)))
        return ReadFileRecordResponse([FileRecord(record_data=data)], dev_id=device_id, transaction_id=self.transaction_id)


class Fifo(ReadFifoQueueRequest):
    """Function 24: as many values as the address says, counting from 100; too many from 32 on."""

    async def datastore_update(self, context: ModbusServerContext, device_id: int) -> ModbusPDU:
        values = [100 + each for each in range(self.address)]
        return ReadFifoQueueResponse(values, dev_id=device_id, transaction_id=self.transaction_id)


async def _serve(port: int, framer: FramerType) -> None:
    device = SimDevice(0, [SimData(0, values=list(range(1000)), datatype=DataType.REGISTERS)])
    identity = ModbusDeviceIdentification(info=dict(IDENTITY))  # type: ignore[no-untyped-call]  # the library's
    server = ModbusTcpServer(device, framer=framer, identity=identity, address=("127.0.0.1", port), custom_pdu=[Records, Fifo])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), FramerType.RTU if sys.argv[2:] == ["rtu"] else FramerType.SOCKET))
