/** SQLite as every process of Loupe opens it. */
import Database from 'better-sqlite3';

// The package reads Node's report to learn which C library there is. That report would list the network's interfaces too, which takes a socket.
Object.assign(process.report, { excludeNetwork: true });

export default Database;
