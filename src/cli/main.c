/* cli/main.c - entry point of the one executable. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return lf_cli_main(argc, argv);
}
