/* cli/interrupt.c - the flag that Ctrl-C sets. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static atomic_bool interrupted;
static volatile sig_atomic_t by_signal;

static void on_signal(int sig)
{
    by_signal = sig;
    atomic_store(&interrupted, true);
}

atomic_bool *lf_cli_interrupt(void)
{
    /* SA_RESETHAND: the second one finds the system's own handling again */
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART };
    if (!atomic_load(&interrupted)) {
        (void)sigemptyset(&sa.sa_mask);
        (void)sigaction(SIGINT, &sa, NULL);
        (void)sigaction(SIGTERM, &sa, NULL);
    }
    return &interrupted;
}

void lf_cli_end_if_interrupted(void)
{
    if (atomic_load(&interrupted))
        (void)raise(by_signal);
}
