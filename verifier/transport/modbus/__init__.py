"""Devices that speak Modbus. Only `route` touches pymodbus; the guard is the last thing before the wire."""
