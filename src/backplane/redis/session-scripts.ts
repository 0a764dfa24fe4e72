// Scripts that Redis runs for the session store. A script is atomic, and its times to live are counted by the clock of the server.
//
// A record is a hash: `s` is its state (`s` stored, `t` taken, `c` claimed), `o` its owner, `d` its snapshot.

/** KEYS: record. ARGV: owner, snapshot, time to live in ms. Returns 1, or 0 if another process has the session. */
export const PUT = `local o=redis.call('HGET',KEYS[1],'o')
if o and o~=ARGV[1] then return 0 end
redis.call('HSET',KEYS[1],'s','s','o',ARGV[1],'d',ARGV[2])
redis.call('PEXPIRE',KEYS[1],ARGV[3])
return 1`;

/**
 * KEYS: record. ARGV: taker, time to live in ms, optionally the process from which the session may be taken. Returns state and
 * owner before the move, and the snapshot if the session was taken; nothing if there is no record.
 */
export const TAKE = `local r=redis.call('HMGET',KEYS[1],'s','o')
local s,o=r[1],r[2]
if not s then return {} end
if s=='c' or (s=='t' and o~=ARGV[1] and o~=ARGV[3]) then return {s,o} end
redis.call('HSET',KEYS[1],'s','t','o',ARGV[1])
redis.call('PEXPIRE',KEYS[1],ARGV[2])
return {s,o,redis.call('HGET',KEYS[1],'d')}`;

/** KEYS: record. ARGV: taker, time to live in ms. Returns 1, or 0 if the record is not taken or claimed by the taker. */
export const CLAIM = `local r=redis.call('HMGET',KEYS[1],'s','o')
if not r[1] or r[1]=='s' or r[2]~=ARGV[1] then return 0 end
redis.call('HSET',KEYS[1],'s','c')
redis.call('HDEL',KEYS[1],'d')
redis.call('PEXPIRE',KEYS[1],ARGV[2])
return 1`;

/** KEYS: records. ARGV: owner, time to live in ms. Returns the indexes of the records that another process has, from 1. */
export const RENEW = `local foreign={}
for k=1,#KEYS do
local r=redis.call('HMGET',KEYS[k],'s','o')
if r[1] and r[2]~=ARGV[1] then foreign[#foreign+1]=k
elseif not r[1] or r[1]=='c' then
redis.call('HSET',KEYS[k],'s','c','o',ARGV[1])
redis.call('PEXPIRE',KEYS[k],ARGV[2])
end
end
return foreign`;

/** KEYS: record. ARGV: owner. Deletes the record if it is the owner's. */
export const FORGET = `if redis.call('HGET',KEYS[1],'o')==ARGV[1] then return redis.call('DEL',KEYS[1]) end
return 0`;

/** KEYS: secret. ARGV: the secret to write if there is none. Returns the secret. */
export const SECRET = `redis.call('SET',KEYS[1],ARGV[1],'NX')
return redis.call('GET',KEYS[1])`;
