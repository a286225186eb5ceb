#include "postgres_fe.h"
#include "common/hashfn.h"
#include "reader.h"
struct Reader { ReaderOptions options; FILE *f; char *line; size_t cap; int64 n, bytes; };
Reader *reader_open(const ReaderOptions *options)
{ Reader *r = pg_malloc0(sizeof(Reader)); r->options = *options; r->f = options->path && strcmp(options->path,"-") ? fopen(options->path,"r") : stdin; if (!r->f) {perror("open");exit(2);} return r; }
ReadResult reader_next(Reader *r, Record *record)
{ ssize_t n = getline(&r->line,&r->cap,r->f); char *k; if (n<=0) return READ_END; r->bytes+=n; r->line[--n]=0; r->n++;
 record->number=record->line=r->n; record->data=record->raw=r->line; record->length=record->raw_length=n; record->has_key=false;record->problem=NULL;
 k=strstr(r->line,"\"id\":\""); if(k){record->has_key=true;record->key=hash_bytes_extended((unsigned char*)k+6,strcspn(k+6,"\""),0);}
 if (n==0||r->line[0]!='{') {record->problem="not an object"; return READ_BAD;}
 return READ_RECORD; }
void reader_close(Reader *reader) { }
const char *reader_problem(const Reader *reader) { return NULL; }
const char *reader_incomplete(const Reader *reader) { return NULL; }
InputFormat reader_format(const Reader *reader) { return FORMAT_NDJSON; }
const char *reader_header(const Reader *reader, size_t *length) { return NULL; }
int64 reader_bytes_read(const Reader *r) { return r->bytes; }
int64 reader_bytes_total(const Reader *reader) { return -1; }
