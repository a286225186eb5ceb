/*
 * compat.h
 *	  Differences between the server versions that userstore supports (15 to
 *	  19), gathered in the one file that may test the version.
 */
#ifndef USERSTORE_COMPAT_H
#define USERSTORE_COMPAT_H

#include "postgres.h"

#include "fmgr.h"

/* PostgreSQL 18 lets a module say its name and version. */
#if PG_VERSION_NUM >= 180000
#define USERSTORE_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "userstore", .version = "0.1.0")
#else
#define USERSTORE_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/*
 * PostgreSQL 17 keeps the local transaction id of a backend elsewhere, and gave
 * what is shared about transaction ids another name.
 */
#if PG_VERSION_NUM >= 170000
#define MY_LOCAL_TRANSACTION_ID	(MyProc->vxid.lxid)
#define LATEST_COMPLETED_XID	(TransamVariables->latestCompletedXid)
#else
#define MY_LOCAL_TRANSACTION_ID	(MyProc->lxid)
#define LATEST_COMPLETED_XID	(ShmemVariableCache->latestCompletedXid)
#endif

/*
 * PostgreSQL 16 can report a bad name other than by an error, and has one
 * function for the privileges on objects of every kind.
 */
#if PG_VERSION_NUM >= 160000
#define QUALIFIED_NAME_LIST(name)	stringToQualifiedNameList(name, NULL)
#define FUNCTION_ACLCHECK(function, role) \
	object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE)
#define EXTENSION_OWNERCHECK(extension, role) \
	object_ownercheck(ExtensionRelationId, extension, role)
#else
#define QUALIFIED_NAME_LIST(name)	stringToQualifiedNameList(name)
#define FUNCTION_ACLCHECK(function, role) \
	pg_proc_aclcheck(function, role, ACL_EXECUTE)
#define EXTENSION_OWNERCHECK(extension, role) \
	pg_extension_ownercheck(extension, role)
#endif

#endif							/* USERSTORE_COMPAT_H */
