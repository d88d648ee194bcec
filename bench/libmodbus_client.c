/* The peer of modbus_reading.py: libmodbus reads all 65,536 holding registers in 525 requests, as fast as the device answers.
 *
 *   libmodbus_client PORT       prints the seconds it took, connecting not counted
 */
#include <modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
    static uint16_t registers[65536];
    modbus_t *device = argc == 2 ? modbus_new_tcp("127.0.0.1", atoi(argv[1])) : NULL;
    if (device == NULL || modbus_connect(device) < 0)
        return 1;
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int first = 0; first < 65536; first += 125) {
        int count = 65536 - first < 125 ? 65536 - first : 125;
        if (modbus_read_registers(device, first, count, registers + first) != count)
            return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    for (uint32_t i = 0; i < 65536; i++)
        if (registers[i] != (uint16_t) (i * 40503u + 7u))
            return 2;
    printf("%.6f\n", (double) (ended.tv_sec - began.tv_sec) + (double) (ended.tv_nsec - began.tv_nsec) / 1e9);
    modbus_free(device);
    return 0;
}
