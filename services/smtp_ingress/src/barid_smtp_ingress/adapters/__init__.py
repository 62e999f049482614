"""The doors to what is outside: sockets (through aiosmtpd), the bus that may be late, the file of known recipients."""
