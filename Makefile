# userstore: a PGXS build.  "make", "make install", "make installcheck" with
# the pg_config of the server to build for; ./run needs none of them.

EXTENSION = userstore
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" userstore.control)

MODULE_big = userstore
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/core/*.c src/core/*/*.c \
	src/store/*.c src/api/*.c src/functions/*.c)))
PG_CPPFLAGS = -I$(srcdir)/src
# our symbols are ours, whatever other modules call theirs
SHLIB_LINK = -Wl,-Bsymbolic
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-cast-function-type $(WERROR)

# The install script is joined from the SQL files that stand beside their C
# file, in the order in which they need one another, and from the schema
# documents that ship.
SQL_PARTS = \
	src/store/catalog.sql \
	src/functions/values.sql \
	src/schemas/schemas.sql \
	src/api/profiles.sql \
	src/store/define.sql \
	src/store/table.sql \
	src/store/drop.sql \
	src/store/alter.sql \
	src/store/attach.sql \
	src/store/trigger.sql \
	src/store/claim.sql \
	src/store/layout.sql \
	src/store/state.sql \
	src/store/tenant.sql \
	src/store/lookup.sql \
	src/store/settings.sql \
	src/store/computed.sql \
	src/store/index.sql \
	src/store/view.sql \
	src/store/idempotency.sql \
	src/functions/user.sql \
	src/functions/bulk.sql \
	src/functions/load.sql \
	src/functions/match.sql \
	src/functions/list.sql \
	src/functions/report.sql \
	src/functions/feed.sql \
	src/functions/sync.sql \
	src/functions/revert.sql \
	src/functions/erase.sql \
	src/functions/request.sql
SCHEMA_DOCUMENTS = $(sort $(wildcard src/schemas/*.json))

DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DATA = $(wildcard src/upgrade/$(EXTENSION)--*--*.sql)

REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --load-extension=userstore --encoding=UTF8
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --load-extension=userstore --inputdir=$(srcdir)/test/isolation \
	--outputdir=$(srcdir)/test/isolation
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl
EXTRA_CLEAN = src/schemas/schemas.sql regression.* results output_iso \
	test/isolation/output_iso test/isolation/results test/isolation/regression.* \
	tmp_check

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Every object is rebuilt when a header changes: there are few of both.
$(OBJS): $(filter-out src/load/%,$(wildcard src/*.h src/*/*.h src/*/*/*.h))

# The client program, a build of its own; "with_load=no" does without it.
with_load = yes
ifeq ($(with_load),yes)
all: all-load
install: install-load
uninstall: uninstall-load
endif
clean: clean-load
all-load install-load uninstall-load clean-load:
	$(MAKE) -C src/load $(@:-load=)
install-load: all-load
.PHONY: all-load install-load uninstall-load clean-load

$(EXTENSION)--$(EXTVERSION).sql: $(SQL_PARTS)
	( printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit'; \
	  cat $^ ) > $@

src/schemas/schemas.sql: $(SCHEMA_DOCUMENTS)
	( echo '-- Made by the Makefile from src/schemas/*.json.'; \
	  for document in $^; do \
	    echo 'INSERT INTO userstore.attribute_schema (shipped, document) VALUES (true, $$schema$$'; \
	    cat $$document; \
	    echo '$$schema$$);'; \
	  done ) > $@
