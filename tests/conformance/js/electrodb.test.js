// ElectroDB's task manager, the example of its documentation: employees, tasks and offices in one table with five global indexes.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Entity, Service, createSchema } from 'electrodb';
import { documents, tables } from './client.js';

const GSI = [1, 2, 3, 4, 5].map((n) => ({
	IndexName: `gsi${n}pk-gsi${n}sk-index`,
	KeySchema: [
		{ AttributeName: `gsi${n}pk`, KeyType: 'HASH' },
		{ AttributeName: `gsi${n}sk`, KeyType: 'RANGE' },
	],
	Projection: { ProjectionType: 'ALL' },
}));
const { electro: table } = tables({ electro: { sort: 'S', indexes: GSI } }, fill);
const configuration = { client: documents, table };
const index = (n, pk, sk, more = {}) => ({ index: GSI[n - 1].IndexName, pk: { field: `gsi${n}pk`, composite: pk }, sk: { field: `gsi${n}sk`, composite: sk }, ...more });
const main = (pk, sk) => ({ pk: { field: 'pk', composite: pk }, sk: { field: 'sk', composite: sk } });
const model = (entity) => ({ entity, version: '1', service: 'taskmanager' });
const text = { type: 'string' };
const needed = { type: 'string', required: true };

const Employee = new Entity(
	{
		model: model('employee'),
		attributes: {
			employee: { type: 'string', default: () => randomUUID() },
			firstName: needed,
			lastName: needed,
			office: needed,
			title: needed,
			team: { type: ['development', 'marketing', 'finance', 'product'], required: true },
			salary: needed,
			manager: text,
			dateHired: text,
		},
		indexes: {
			employee: main(['employee'], []),
			coworkers: index(1, ['office'], ['team', 'title', 'employee'], { collection: 'workplaces' }),
			teams: index(2, ['team'], ['dateHired', 'title']),
			employeeLookup: index(3, ['employee'], [], { collection: 'assignments' }),
			roles: index(4, ['title'], ['salary']),
			directReports: index(5, ['manager'], ['team', 'office']),
		},
	},
	configuration,
);

const Task = new Entity(
	{
		model: model('task'),
		attributes: {
			task: { type: 'string', default: () => randomUUID() },
			project: needed,
			employee: needed,
			description: text,
			status: { type: ['open', 'in-progress', 'closed'], default: 'open' },
			points: { type: 'number', required: true },
			tags: { type: 'set', items: 'string' },
			comments: { type: 'list', items: { type: 'map', properties: { user: text, body: text } } },
			details: { type: 'map', properties: { colour: text, hours: { type: 'number' } } },
		},
		indexes: {
			task: main(['task'], ['project', 'employee']),
			project: index(1, ['project'], ['employee', 'status']),
			assigned: index(3, ['employee'], ['project', 'status'], { collection: 'assignments' }),
			statuses: index(4, ['status'], ['project', 'employee']),
		},
	},
	configuration,
);

const Office = new Entity(
	createSchema({
		model: model('office'),
		attributes: { office: text, country: text, state: text, city: text, zip: text, address: text, desks: { type: 'number' } },
		indexes: {
			locations: main(['country', 'state'], ['city', 'zip', 'office']),
			office: index(1, ['office'], [], { collection: 'workplaces' }),
		},
	}),
	configuration,
);

const manager = new Service({ employee: Employee, task: Task, office: Office }, configuration);
const TITLES = ['Junior Software Engineer', 'Software Engineer', 'Senior Software Engineer'];
const employees = Array.from({ length: 12 }, (_, n) => ({
	employee: `employee-${n}`,
	firstName: `First${n}`,
	lastName: `Last${n}`,
	office: n < 8 ? 'scranton' : 'stamford',
	title: TITLES[n % 3],
	team: n % 2 ? 'marketing' : 'development',
	salary: String(100 + n * 10).padStart(6, '0'),
	manager: n === 0 ? undefined : `employee-${Math.floor((n - 1) / 3)}`,
	dateHired: `20${10 + n}-06-15`,
}));
const tasks = Array.from({ length: 40 }, (_, n) => ({
	task: `task-${String(n).padStart(2, '0')}`,
	project: `project-${n % 4}`,
	employee: `employee-${n % 12}`,
	status: n % 5 === 0 ? 'closed' : 'open',
	points: n % 21,
}));
const offices = [
	{ office: 'scranton', country: 'us', state: 'pa', city: 'scranton', zip: '18503', address: '1725 Slough Ave' },
	{ office: 'stamford', country: 'us', state: 'ct', city: 'stamford', zip: '06901', address: '12 Main St' },
	{ office: 'philadelphia', country: 'us', state: 'pa', city: 'philadelphia', zip: '19019', address: '1 Broad St' },
];
const ids = (data, name = 'employee') => data.map((d) => d[name]).sort();
const numbers = (ns) => ns.map((n) => `employee-${n}`).sort();

async function fill() {
	// Batches of the library: it cuts them into requests of 25.
	assert.deepEqual((await Employee.put(employees).go()).unprocessed, []);
	assert.deepEqual((await Task.put(tasks).go({ concurrent: 2 })).unprocessed, []);
	for (const office of offices) await Office.create(office).go();
}

test('entities come back without the keys of the table', async () => {
	const { data } = await Employee.get({ employee: 'employee-3' }).go();
	assert.deepEqual(data, employees[3]);
	assert.equal((await Employee.get({ employee: 'nobody' }).go()).data, null);
	const raw = (await Employee.get({ employee: 'employee-3' }).go({ data: 'raw' })).data.Item;
	assert.equal(raw.pk, '$taskmanager#employee_employee-3');
	assert.equal(raw.gsi2sk, '$employee_1#datehired_2013-06-15#title_junior software engineer');
	const some = await Employee.get({ employee: 'employee-3' }).go({ attributes: ['firstName', 'team'] });
	assert.deepEqual(some.data, { firstName: 'First3', team: 'marketing' });
});

test('collections read several entities by one query of an index', async () => {
	const workplace = (await manager.collections.workplaces({ office: 'scranton' }).go()).data;
	assert.deepEqual(workplace.office, [offices[0]]);
	assert.deepEqual(ids(workplace.employee), numbers([0, 1, 2, 3, 4, 5, 6, 7]));
	const assignments = (await manager.collections.assignments({ employee: 'employee-4' }).go()).data;
	assert.deepEqual(assignments.employee, [employees[4]]);
	assert.deepEqual(ids(assignments.task, 'task'), ['task-04', 'task-16', 'task-28']);
	const small = await manager.collections
		.assignments({ employee: 'employee-4' })
		.where(({ points }, { lt }) => lt(points, 10))
		.go();
	assert.deepEqual(ids(small.data.task, 'task'), ['task-04', 'task-28']);
});

test('queries by sort keys, both ways, with filters', async () => {
	const juniors = await Employee.query.roles({ title: TITLES[0] }).gt({ salary: '000130' }).go();
	assert.deepEqual(juniors.data.map((e) => e.employee), ['employee-6', 'employee-9']);
	const hired = await Employee.query.teams({ team: 'marketing' }).between({ dateHired: '2011-01-01' }, { dateHired: '2015-12-31' }).go({ order: 'desc' });
	assert.deepEqual(hired.data.map((e) => e.employee), ['employee-5', 'employee-3', 'employee-1']);
	const open = await Task.query
		.statuses({ status: 'open', project: 'project-1' })
		.where(({ points }, { lte }) => lte(points, 13))
		.go();
	assert.deepEqual(ids(open.data, 'task'), ids(tasks.filter((t) => t.status === 'open' && t.project === 'project-1' && t.points <= 13), 'task'));
	const begins = await Employee.query.coworkers({ office: 'scranton' }).begins({ team: 'dev' }).go();
	assert.deepEqual(ids(begins.data), numbers([0, 2, 4, 6]));
	const reports = await Employee.query.directReports({ manager: 'employee-0' }).go({ attributes: ['employee'] });
	assert.deepEqual(ids(reports.data), numbers([1, 2, 3]));
	const states = await Office.query.locations({ country: 'us', state: 'pa' }).go();
	assert.deepEqual(states.data.map((o) => o.office), ['philadelphia', 'scranton']);
	const found = await Employee.match({ office: 'stamford', team: 'marketing' }).go();
	assert.deepEqual(ids(found.data), numbers([9, 11]));
	const scanned = await Task.scan.where(({ points, status }, op) => `${op.gte(points, 18)} AND ${op.eq(status, 'closed')}`).go();
	assert.deepEqual(ids(scanned.data, 'task'), ids(tasks.filter((t) => t.points >= 18 && t.status === 'closed'), 'task'));
});

test('pages are resumed by a cursor', async () => {
	const seen = [];
	let cursor = null;
	let pages = 0;
	do {
		const page = await Task.query.statuses({ status: 'open' }).go({ cursor, limit: 5 });
		assert.ok(page.data.length <= 5);
		seen.push(...page.data.map((t) => t.task));
		cursor = page.cursor;
		pages++;
	} while (cursor !== null);
	const all = await Task.query.statuses({ status: 'open' }).go({ pages: 'all' });
	assert.deepEqual(seen, all.data.map((t) => t.task));
	assert.equal(new Set(seen).size, 32);
	assert.ok(pages >= 7);
	const counted = await Task.query.statuses({ status: 'open' }).go({ count: 7 });
	assert.equal(counted.data.length, 7);
	const next = await Task.query.statuses({ status: 'open' }).go({ cursor: counted.cursor, pages: 'all' });
	assert.deepEqual([...counted.data, ...next.data].map((t) => t.task), seen);
	const collected = [];
	cursor = null;
	do {
		const page = await manager.collections.workplaces({ office: 'scranton' }).go({ cursor, limit: 4 });
		collected.push(...page.data.employee, ...page.data.office);
		cursor = page.cursor;
	} while (cursor !== null);
	assert.equal(collected.length, 9);
});

test('batches', async () => {
	const got = await Employee.get(Array.from({ length: 14 }, (_, n) => ({ employee: `employee-${n}` }))).go({ concurrent: 2 });
	assert.deepEqual(ids(got.data), ids(employees));
	assert.deepEqual(got.unprocessed, []);
	const kept = await Employee.get([{ employee: 'employee-2' }, { employee: 'nobody' }, { employee: 'employee-1' }]).go({ preserveBatchOrder: true });
	assert.deepEqual(kept.data.map((e) => e && e.employee), ['employee-2', null, 'employee-1']);
	const many = Array.from({ length: 60 }, (_, n) => ({ task: `batch-${n}`, project: 'batch', employee: 'batch', points: n }));
	await Task.put(many).go({ concurrent: 3 });
	assert.equal((await Task.query.project({ project: 'batch' }).go({ pages: 'all' })).data.length, 60);
	await Task.delete(many).go();
	assert.equal((await Task.query.project({ project: 'batch' }).go()).data.length, 0);
});

test('create, put, update, patch, upsert, remove', async () => {
	const key = { country: 'ca', state: 'on', city: 'toronto', zip: 'm5v', office: 'toronto' };
	const conditional = { name: 'ElectroError', message: /conditional request failed/ };
	await Office.create(key).go();
	await assert.rejects(Office.create(key).go(), conditional);
	const patched = await Office.patch(key).set({ address: 'Front St' }).add({ desks: 5 }).go({ response: 'all_new' });
	assert.deepEqual([patched.data.address, patched.data.desks], ['Front St', 5]);
	await assert.rejects(Office.patch({ ...key, office: 'none' }).set({ address: 'x' }).go(), conditional);
	const guarded = Office.update(key).subtract({ desks: 9 }).where(({ desks }, { gte }) => gte(desks, 9));
	await assert.rejects(guarded.go(), conditional);
	const upserted = await Office.upsert({ ...key, desks: 7 }).go({ response: 'all_new' });
	assert.deepEqual([upserted.data.address, upserted.data.desks], ['Front St', 7]);
	const fresh = await Office.upsert({ ...key, office: 'other', address: 'made' }).go({ response: 'all_new' });
	assert.equal(fresh.data.address, 'made');
	const removed = await Office.update(key).remove(['address']).go({ response: 'updated_old' });
	assert.equal(removed.data.address, 'Front St');
	const old = await Office.delete(key).go({ response: 'all_old' });
	assert.equal(old.data.desks, 7);
	await assert.rejects(Office.remove(key).go(), conditional);
});

test('an update moves an item in the indexes whose keys it changes', async () => {
	const task = { task: 'moving', project: 'p', employee: 'e' };
	await Task.create({ ...task, points: 1 }).go();
	await Task.update(task).set({ status: 'closed' }).composite({ project: 'p', employee: 'e' }).go();
	const closed = await Task.query.statuses({ status: 'closed', project: 'p' }).go();
	assert.deepEqual(closed.data.map((t) => t.task), ['moving']);
	assert.equal((await Task.query.statuses({ status: 'open', project: 'p' }).go()).data.length, 0);
	await Task.delete(task).go();
});

test('lists, sets and maps inside an item', async () => {
	const key = { task: 'nested', project: 'p', employee: 'e' };
	await Task.create({ ...key, points: 1, tags: ['a', 'b'], comments: [{ user: 'u', body: 'one' }], details: { colour: 'red', hours: 1 } }).go();
	await Task.update(key).append({ comments: [{ user: 'v', body: 'two' }] }).go();
	const { data } = await Task.update(key)
		.add({ tags: ['c'] })
		.data(({ details, comments, points }, { set, add, remove }) => {
			set(comments[0].body, 'edited');
			add(details.hours, 4);
			remove(details.colour);
			set(points, 12);
		})
		.where(({ tags }, { contains }) => contains(tags, 'a'))
		.go({ response: 'all_new' });
	assert.deepEqual(data.comments, [{ user: 'u', body: 'edited' }, { user: 'v', body: 'two' }]);
	assert.deepEqual([data.details, data.points, [...data.tags].sort()], [{ hours: 5 }, 12, ['a', 'b', 'c']]);
	const less = await Task.update(key).delete({ tags: ['a', 'b'] }).go({ response: 'updated_new' });
	assert.deepEqual(less.data.tags, ['c']);
	await Task.delete(key).go();
});

test('transactions over several entities', async () => {
	const office = { country: 'us', state: 'ny', city: 'utica', zip: '13501', office: 'utica' };
	const task = { task: 'transacted', project: 'p', employee: 'employee-0' };
	const written = await manager.transaction
		.write((of) => [
			of.office.put(office).commit(),
			of.task.create({ ...task, points: 3 }).commit(),
			of.employee.patch({ employee: 'employee-0' }).set({ lastName: 'Changed' }).where(({ team }, { eq }) => eq(team, 'development')).commit(),
			of.employee.check({ employee: 'employee-1' }).where(({ office: at }, { eq }) => eq(at, 'scranton')).commit(),
		])
		.go({ token: randomUUID() });
	assert.equal(written.canceled, false);
	const read = await manager.transaction
		.get((of) => [of.office.get(office).commit(), of.task.get(task).commit(), of.employee.get({ employee: 'nobody' }).commit({ attributes: ['team'] })])
		.go();
	assert.deepEqual(read.data.map((d) => d.item && (d.item.office ?? d.item.points)), ['utica', 3, null]);
	const refused = await manager.transaction
		.write((of) => [
			of.task.delete(task).commit(),
			of.office.create(office).commit({ response: 'all_old' }),
			of.employee.check({ employee: 'employee-1' }).where(({ office: at }, { eq }) => eq(at, 'elsewhere')).commit(),
		])
		.go();
	assert.equal(refused.canceled, true);
	assert.deepEqual(refused.data.map((d) => [d.rejected, d.code]), [[false, 'None'], [true, 'ConditionalCheckFailed'], [true, 'ConditionalCheckFailed']]);
	assert.equal(refused.data[1].item.office, 'utica');
	assert.equal((await Task.get(task).go()).data.points, 3);
	await manager.transaction.write((of) => [of.task.delete(task).commit(), of.office.remove(office).commit()]).go();
	assert.equal((await Office.get(office).go()).data, null);
});
