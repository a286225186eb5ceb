#include "postgres_fe.h"
#include "load.h"
int export_users(const LoadOptions *options) { return EXIT_FAILED; }
