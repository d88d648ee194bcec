/* A Modbus device made of libmodbus: 65,536 of each table with values that can be computed, and nothing to write.
 *
 *   libmodbus_server tcp [delay-ms]           prints the port it listens on, on 127.0.0.1
 *   libmodbus_server drive [delay-ms]         the same, and takes function 6, as a drive does from its vendor's tool
 *   libmodbus_server rtu PATH [delay-ms]      prints 0; unit id 1
 *
 * delay-ms is the time before each answer, as a controller answers once per scan.
 * Values: holding i*40503+7, input i*30011+3 (both modulo 65536), coil i: bit 1 of i*5, discrete i: bit 2 of i*3.
 */
#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int writable;

static modbus_mapping_t *tables(void) {
    modbus_mapping_t *map = modbus_mapping_new(65536, 65536, 65536, 65536);
    for (int i = 0; map != NULL && i < 65536; i++) {
        map->tab_registers[i] = (uint16_t) (i * 40503u + 7u);
        map->tab_input_registers[i] = (uint16_t) (i * 30011u + 3u);
        map->tab_bits[i] = (i * 5 >> 1) & 1;
        map->tab_input_bits[i] = (i * 3 >> 2) & 1;
    }
    return map;
}

/* One request and its answer; 0 when the other side is gone. */
static int serve(modbus_t *context, modbus_mapping_t *map, int delay_ms) {
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int length = modbus_receive(context, query);
    if (length == 0)
        return 1;
    if (length < 0)
        return 0;
    int code = query[modbus_get_header_length(context)];
    if (delay_ms > 0) {
        struct timespec pause = {delay_ms / 1000, delay_ms % 1000 * 1000000L};
        nanosleep(&pause, NULL);
    }
    if (code == 5 || (code == 6 && !writable) || code == 15 || code == 16 || code == 22 || code == 23)
        return modbus_reply_exception(context, query, MODBUS_EXCEPTION_ILLEGAL_FUNCTION) >= 0;
    return modbus_reply(context, query, length, map) >= 0;
}

static int tcp(modbus_mapping_t *map, int delay_ms) {
    modbus_t *context = modbus_new_tcp("127.0.0.1", 0);
    int listening = modbus_tcp_listen(context, 16);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (listening < 0 || getsockname(listening, (struct sockaddr *) &address, &size) < 0)
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    fd_set open_ones;
    FD_ZERO(&open_ones);
    FD_SET(listening, &open_ones);
    int highest = listening;
    for (;;) {
        fd_set ready = open_ones;
        if (select(highest + 1, &ready, NULL, NULL, NULL) < 0)
            return 1;
        for (int each = 0; each <= highest; each++) {
            if (!FD_ISSET(each, &ready))
                continue;
            if (each == listening) {
                int fresh = accept(listening, NULL, NULL);
                if (fresh >= 0) {
                    int on = 1;
                    setsockopt(fresh, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
                    FD_SET(fresh, &open_ones);
                    highest = fresh > highest ? fresh : highest;
                }
                continue;
            }
            modbus_set_socket(context, each);
            if (!serve(context, map, delay_ms)) {
                close(each);
                FD_CLR(each, &open_ones);
            }
        }
    }
}

static int rtu(modbus_mapping_t *map, const char *path, int delay_ms) {
    modbus_t *context = modbus_new_rtu(path, 19200, 'N', 8, 1);
    if (context == NULL || modbus_set_slave(context, 1) < 0 || modbus_connect(context) < 0)
        return 1;
    printf("0\n");
    fflush(stdout);
    for (;;) {
        if (!serve(context, map, delay_ms) && errno != EMBBADCRC && errno != ETIMEDOUT)
            return 1;
    }
}

int main(int argc, char **argv) {
    modbus_mapping_t *map = tables();
    if (map == NULL || argc < 2)
        return 2;
    writable = strcmp(argv[1], "drive") == 0;
    if (writable || strcmp(argv[1], "tcp") == 0)
        return tcp(map, argc > 2 ? atoi(argv[2]) : 0);
    if (strcmp(argv[1], "rtu") == 0 && argc > 2)
        return rtu(map, argv[2], argc > 3 ? atoi(argv[3]) : 0);
    return 2;
}
