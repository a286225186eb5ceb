/*
 * password.c
 *	  Hash passwords and compare them with their hashes.
 *
 * bcrypt comes from pgcrypto, wherever that is installed.  A table may name
 * another function in the manner of crypt(3): given a password and NULL it
 * makes a new hash, given a password and a hash it hashes with the salt and the
 * parameters of that one, so that the same hash means the same password.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

#include "core/errors.h"
#include "store/store.h"

/* 2^10 rounds: some 60 ms for each guess. */
#define BCRYPT_COST			10

/* bcrypt looks at no more. */
#define BCRYPT_MAX_BYTES	72

/*
 * The function of pgcrypto that has this name and two arguments, not that of
 * whoever can create functions in the same schema.
 */
static Oid
pgcrypto_function(const char *name, Oid second)
{
	Oid			extension = get_extension_oid("pgcrypto", true);
	CatCList   *functions = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	Oid			found = InvalidOid;

	for (int i = 0; i < functions->n_members && OidIsValid(extension); i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&functions->members[i]->tuple);

		if (form->pronargs == 2 && form->proargtypes.values[0] == TEXTOID &&
			form->proargtypes.values[1] == second &&
			getExtensionOfObject(ProcedureRelationId, form->oid) == extension)
			found = form->oid;
	}
	ReleaseSysCacheList(functions);
	if (!OidIsValid(found))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("passwords are hashed by the extension pgcrypto, which this database lacks"),
				 errdetail_path(NULL, NULL),
				 errhint("CREATE EXTENSION pgcrypto, or name a function of your own when the table is created.")));
	return found;
}

/* Call the function of a table.  Gives NULL when the function does. */
static char *
call_function(Binding *binding, const char *password, const char *hash)
{
	NullableDatum args[2];
	Datum		result;
	bool		isnull;

	args[0].value = CStringGetTextDatum(password);
	args[0].isnull = false;
	args[1].value = hash != NULL ? CStringGetTextDatum(hash) : (Datum) 0;
	args[1].isnull = hash == NULL;
	result = function_call(binding, binding->password_function, args, &isnull);
	return isnull ? NULL : TextDatumGetCString(result);
}

static char *
bcrypt(const char *password, Datum salt)
{
	return TextDatumGetCString(OidFunctionCall2(pgcrypto_function("crypt", TEXTOID),
												CStringGetTextDatum(password), salt));
}

/*
 * The hash of a password that was sent as this attribute.
 */
char *
password_hash(Binding *binding, const char *path, const char *password)
{
	char	   *hash;

	CHECK_FOR_INTERRUPTS();
	if (binding->password_function != NULL)
	{
		hash = call_function(binding, password, NULL);
		/* nor an empty one: a function that gives it always would verify all */
		if (hash == NULL || hash[0] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("function %s gave no hash for attribute \"%s\"",
							binding->password_function->name, path),
					 errdetail_path(path, NULL),
					 errhint("It takes NULL as its second argument when it is to make a new hash.")));
		return hash;
	}
	if (strlen(password) > BCRYPT_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_USER_BAD_REQUEST),
				 errmsg("attribute \"%s\" is too long", path),
				 errdetail_path(path, SCIM_INVALID_VALUE),
				 errhint("A password has at most %d bytes.", BCRYPT_MAX_BYTES)));
	return bcrypt(password,
				  OidFunctionCall2(pgcrypto_function("gen_salt", INT4OID),
								   CStringGetTextDatum("bf"), Int32GetDatum(BCRYPT_COST)));
}

/* As strings of equal length are compared, in a time that tells nothing. */
static bool
same_hash(const char *a, const char *b)
{
	size_t		len = strlen(a);
	unsigned char difference = 0;

	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

/*
 * Is it the password of which this is the hash?
 */
bool
password_matches(Binding *binding, const char *password, const char *hash)
{
	char	   *other;

	CHECK_FOR_INTERRUPTS();
	if (binding->password_function != NULL)
		other = call_function(binding, password, hash);
	else if (strlen(password) > BCRYPT_MAX_BYTES || strncmp(hash, "$2", 2) != 0)
		/* not one of ours: crypt() may raise an error that shows it */
		return false;
	else
		other = bcrypt(password, CStringGetTextDatum(hash));
	return other != NULL && same_hash(other, hash);
}
