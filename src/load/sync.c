#include "postgres_fe.h"
#include "load.h"
int sync_users(const LoadOptions *options) { return EXIT_FAILED; }
