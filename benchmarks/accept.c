/* Accept every packet of a queue and do nothing else: the least a program on the queue can do.
 *
 * Usage: accept QUEUE RECEIVE_BUFFER [BATCH]. Prints "ready", runs until its standard input ends.
 * Gives a verdict for each packet; with BATCH, one for up to so many that came one after the other.
 * The receive buffer is asked for without privilege, so that net.core.rmem_max bounds it as it
 * does for an ordinary user.
 */
#include <arpa/inet.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { COPIED = 4016, BUFFER = 1 << 16 };

static int batch = 1, waiting_for_it;
static uint32_t last;

static void give(struct nfq_q_handle *queue)
{
    if (waiting_for_it > 0)
        nfq_set_verdict_batch(queue, last, NF_ACCEPT);
    waiting_for_it = 0;
}

static int accept_packet(struct nfq_q_handle *queue, struct nfgenmsg *message,
                         struct nfq_data *data, void *unused)
{
    struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(data);
    unsigned char *payload;

    (void)message;
    (void)unused;
    if (header == NULL)
        return 0;
    nfq_get_payload(data, &payload);
    if (batch == 1)
        return nfq_set_verdict(queue, ntohl(header->packet_id), NF_ACCEPT, 0, NULL);
    last = ntohl(header->packet_id);
    if (++waiting_for_it == batch)
        give(queue);
    return 0;
}

int main(int argc, char **argv)
{
    static char buffer[BUFFER] __attribute__((aligned));
    struct nfq_handle *handle = nfq_open();
    struct nfq_q_handle *queue;
    struct pollfd waiting[2];
    int size;

    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: accept QUEUE RECEIVE_BUFFER [BATCH]\n");
        return 2;
    }
    size = atoi(argv[2]);
    if (argc == 4)
        batch = atoi(argv[3]);
    if (handle == NULL ||
        (queue = nfq_create_queue(handle, atoi(argv[1]), &accept_packet, NULL)) == NULL ||
        nfq_set_mode(queue, NFQNL_COPY_PACKET, COPIED) < 0 ||
        nfq_set_queue_maxlen(queue, 4096) < 0 ||
        setsockopt(nfq_fd(handle), SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0) {
        perror("accept: cannot open the queue");
        return 1;
    }
    waiting[0] = (struct pollfd){.fd = nfq_fd(handle), .events = POLLIN};
    waiting[1] = (struct pollfd){.fd = 0, .events = POLLIN};
    puts("ready");
    fflush(stdout);
    while (poll(waiting, 2, -1) > 0 && waiting[1].revents == 0) {
        ssize_t received;
        do {
            received = recv(waiting[0].fd, buffer, sizeof buffer, MSG_DONTWAIT);
            if (received > 0)
                nfq_handle_packet(handle, buffer, (int)received);
        } while (batch > 1 && received > 0);
        give(queue);
    }
    return 0;
}
