// SPDX-License-Identifier: BSD-3-Clause
// LuCI page: the service, a grid of tunnels with live state and traffic, a form for each.
'use strict';
'require view';
'require form';
'require fs';
'require poll';
'require rpc';
'require uci';
'require tools.widgets as widgets';

const SERVER = ['server'], CLIENT = ['client'], MASTER = ['master'];
const BOTH = ['server', 'client'], LISTENS = ['server', 'master'], ALL = ['server', 'client', 'master'];

const callServiceList = rpc.declare({
	object: 'service',
	method: 'list',
	params: ['name'],
	expect: { nodepass: {} }
});

/* The processes' last check point lines, by process id. procd logs them as nodepass[PID]. */
function readTraffic() {
	return fs.exec('/sbin/logread', ['-e', 'CHECK_POINT']).then(
		reply => parseTraffic(reply.stdout || ''), () => ({}));
}

function parseTraffic(text) {
	const found = {};

	for (const line of text.split('\n')) {
		const match = /nodepass\[(\d+)\]: .*CHECK_POINT\|([A-Z0-9=|a-z-]+)/.exec(line);

		if (!match)
			continue;
		found[match[1]] = { ping: 0, tcps: 0, udps: 0, tcprx: 0, tcptx: 0, udprx: 0, udptx: 0 };
		for (const pair of match[2].split('|'))
			found[match[1]][pair.split('=')[0].toLowerCase()] = parseInt(pair.split('=')[1], 10) || 0;
	}
	return found;
}

function bytes(count) {
	const units = ['B', 'KB', 'MB', 'GB', 'TB'];
	let unit = 0;

	while (count >= 1024 && unit < units.length - 1) {
		count /= 1024;
		unit++;
	}
	return '%s %s'.replace('%s', unit ? count.toFixed(1) : String(count)).replace('%s', units[unit]);
}

/* [class of the label, text] of a section: what was asked for, and what procd runs. */
function stateOf(section, instances) {
	const instance = instances[section];

	if (instance && instance.running)
		return ['success', _('running')];
	if (uci.get('nodepass', 'global', 'enabled') != '1')
		return ['', _('service is off')];
	if (uci.get('nodepass', section, 'enabled') == '0')
		return ['', _('off')];
	return instance ? ['danger', _('ended, see the log')] : ['warning', _('not started, see the log')];
}

function roleOf(section) {
	return (uci.get('nodepass', section, 'url') || '').split(':')[0] || uci.get('nodepass', section, 'role');
}

/* A master's lines are those of its instances, which its own panel shows. */
function trafficOf(section, instances, traffic) {
	const instance = instances[section], point = instance && instance.running && traffic[instance.pid];

	if (!point || roleOf(section) == 'master')
		return '';
	return '%s ↓ %s ↑, %s'.replace('%s', bytes(point.tcprx + point.udprx))
		.replace('%s', bytes(point.tcptx + point.udptx))
		.replace('%s', _('%d open, %d ms').replace('%d', point.tcps + point.udps).replace('%d', point.ping));
}

/* A string as child of E() would be taken as HTML; in an array it is text. */
function stateNode(section, instances) {
	const state = stateOf(section, instances);

	return E('span', { 'class': 'label ' + state[0], 'data-np-state': section }, [state[1]]);
}

function refresh(instances, traffic) {
	document.querySelectorAll('[data-np-state]').forEach(node => {
		const state = stateOf(node.getAttribute('data-np-state'), instances);

		node.className = 'label ' + state[0];
		node.textContent = state[1];
	});
	document.querySelectorAll('[data-np-traffic]').forEach(node => {
		node.textContent = trafficOf(node.getAttribute('data-np-traffic'), instances, traffic);
	});
}

function instancesOf(service) {
	return service && service.instances || {};
}

/* ---- checks: empty is right where an option may be left out ---- */

function isPort(text) {
	return /^\d{1,5}$/.test(text) && +text >= 1 && +text <= 65535;
}

function checkTarget(section, value) {
	const match = /^(\[[0-9A-Fa-f:.%]+\]|[^\[\]:\s]*):(\d+)$/.exec(value);

	return !value || match && isPort(match[2]) ||
		_('Want host:port, an IPv6 address in brackets, as in [2001:db8::1]:80');
}

function checkUrl(section, value) {
	return !value || /^(server|client|master):\/\/\S+$/.test(value) ||
		_('Want server://, client:// or master://');
}

function checkDuration(section, value) {
	return !value || /^(\d+(\.\d+)?(ms|s|m|h))+$/.test(value) || _('Want a duration such as 30s, 1.5h or 2m30s');
}

function checkPin(section, value) {
	return !value || /^sha256:[0-9A-Fa-f]{64}$/.test(value) || _('Want sha256: and 64 hex digits');
}

/* ---- form ---- */

function addLevels(option, empty) {
	option.value('', empty);
	for (const level of ['none', 'debug', 'info', 'warn', 'error', 'event'])
		option.value(level);
	option.optional = true;
}

function addService(map) {
	const s = map.section(form.NamedSection, 'global', 'nodepass', _('Service'));
	let o;

	s.addremove = false;
	o = s.option(form.Flag, 'enabled', _('Run'), _('Runs the tunnels below, now and after each start of the router.'));
	o.rmempty = false;
	o = s.option(form.ListValue, 'log', _('Log level'), _('Of tunnels that name none.'));
	addLevels(o, _('default (info)'));
	o = s.option(form.Flag, 'persist', _('Keep state in flash'),
		_('Key and instances of a master survive a restart of the router; written when they change, counters once a day.'));
	o = s.option(form.Value, 'state_dir', _('State directory'), _('Instead of RAM or flash: of a stick or disk.'));
	o.placeholder = '/var/lib/nodepass';
	o.datatype = 'directory';
	o = s.option(form.Value, 'user', _('User'), _('Who the tunnels run as once their ports are bound.'));
	o.placeholder = 'nodepass';
	o = s.option(form.Value, 'nofile', _('Open files'), _('Limit for each tunnel; a session needs two.'));
	o.placeholder = '4096';
	o.datatype = 'range(64,1048576)';
	s.option(form.Flag, 'jail', _('Jail'), _('Each tunnel sees only the files it needs; ignored where ujail is not installed.'));
}

/* Shows the option for these roles only, and not beside a whole URL. */
function add(section, tab, type, name, roles, title, text) {
	const option = section.taboption(tab, type, name, title, text);

	option.modalonly = true;
	option.optional = true;
	for (const role of roles)
		option.depends({ role: role, url: '' });
	return option;
}

function addGeneral(s) {
	let o;

	o = s.taboption('general', form.Flag, 'enabled', _('On'));
	o.editable = true;
	o.rmempty = false;
	o.default = '1';
	o = s.taboption('general', form.ListValue, 'role', _('Role'));
	o.value('client', _('client: dials a server, or forwards alone'));
	o.value('server', _('server: waits for a client'));
	o.value('master', _('master: panel and API for more tunnels'));
	o.default = 'client';
	o.textvalue = section => roleOf(section) || '?';
	o = add(s, 'general', form.Value, 'tunnel_host', ALL, _('Tunnel address'),
		_('Client: of the server. Server, master: address to listen on, empty for all.'));
	o.datatype = 'host';
	o = add(s, 'general', form.Value, 'tunnel_port', ALL, _('Tunnel port'));
	o.datatype = 'port';
	o.optional = false;
	o = add(s, 'general', form.Value, 'password', BOTH, _('Key'), _('The same at both ends.'));
	o.password = true;
	o = add(s, 'general', form.Value, 'target', BOTH, _('Target'),
		_('host:port that visitors are led to; of a reverse server: where visitors come in, as in :8022.'));
	o.validate = checkTarget;
	o.optional = false;
	o = add(s, 'general', form.ListValue, 'mode', BOTH, _('Mode'));
	o.value('', _('automatic'));
	o.value('1', _('1: server reverse (listens on the target), client alone (no server)'));
	o.value('2', _('2: server forward (dials the target), client dials the server'));
	o = add(s, 'general', form.Value, 'prefix', MASTER, _('Path of the API'));
	o.placeholder = '/api';
	o = s.taboption('general', form.DummyValue, '_state', _('State'));
	o.modalonly = false;
	o = s.taboption('general', form.DummyValue, '_traffic', _('Traffic'));
	o.modalonly = false;
}

function addTls(s) {
	let o;

	o = add(s, 'tls', form.ListValue, 'tls', ALL, _('TLS'), _('Client: the least that it accepts from the server.'));
	o.value('', _('0: off'));
	o.value('1', _('1: with a certificate made at start'));
	o.value('2', _('2: with certificate files, checked'));
	for (const [name, title] of [['crt', _('Certificate file')], ['key', _('Key file')]]) {
		o = s.taboption('tls', form.Value, name, title, _('PEM, readable for the user above.'));
		o.modalonly = true;
		for (const role of LISTENS)
			o.depends({ role: role, url: '', tls: '2' });
		o.datatype = 'file';
	}
	o = add(s, 'tls', form.Value, 'ca', CLIENT, _('CA file'), _('PEM bundle instead of the system\'s.'));
	o.datatype = 'file';
	o = add(s, 'tls', form.Value, 'sni', CLIENT, _('Server name'), _('Instead of the tunnel address.'));
	o.datatype = 'hostname';
	o = add(s, 'tls', form.Value, 'pin', CLIENT, _('Pin'), _('sha256:... of the server\'s public key, as its log tells.'));
	o.validate = checkPin;
}

function addLimits(s) {
	let o;

	for (const [name, roles, title, text, type] of [
		['min', CLIENT, _('Idle connections'), _('Kept ready by the client; few on a small router.'), 'range(1,8192)'],
		['max', SERVER, _('Most connections'), _('Of the pool, ready or in use.'), 'range(1,8192)'],
		['slot', BOTH, _('Most sessions'), _('TCP and UDP together.'), 'range(0,16384)'],
		['mem', ALL, _('Memory'), _('MB for its tables; when they are full, new sessions are refused.'), 'range(1,4096)'],
		['rate', BOTH, _('Rate'), _('Mbps each way, 0 for no limit.'), 'range(0,1000000)']
	]) {
		o = add(s, 'limits', form.Value, name, roles, title, text);
		o.datatype = type;
	}
	o = add(s, 'limits', form.Value, 'read', BOTH, _('Idle time-out'), _('Of a session, such as 1h or 2m30s.'));
	o.placeholder = '1h';
	o.validate = checkDuration;
	o = add(s, 'limits', form.Value, 'dns', BOTH, _('Keep names for'), _('A resolved name is looked up again after it.'));
	o.placeholder = '5m';
	o.validate = checkDuration;
}

function addMore(s) {
	let o;

	add(s, 'more', form.Flag, 'notcp', BOTH, _('No TCP'));
	add(s, 'more', form.Flag, 'noudp', BOTH, _('No UDP'));
	add(s, 'more', form.Flag, 'proxy', BOTH, _('PROXY header'), _('Tells the target the visitor\'s address (PROXY protocol v1).'));
	o = add(s, 'more', form.Value, 'dial', BOTH, _('Source address'), _('Of outgoing connections.'));
	o.datatype = 'ipaddr("nomask")';
	o = add(s, 'more', form.ListValue, 'log', ALL, _('Log level'));
	addLevels(o, _('as the service'));
	o = add(s, 'more', form.Value, 'state', MASTER, _('State directory'), _('A second master needs one of its own.'));
	o.datatype = 'directory';
	o = s.taboption('more', form.Flag, 'open_firewall', _('Open the firewall'), _('For the ports this tunnel listens on.'));
	o.modalonly = true;
	o = s.taboption('more', widgets.ZoneSelect, 'firewall_src', _('Visitors come from'));
	o.modalonly = true;
	o.nocreate = true;
	o.default = 'wan';
	o.depends('open_firewall', '1');
	o = s.taboption('more', widgets.NetworkSelect, 'interface', _('Follow network'), _('Starts anew when its device is replaced.'));
	o.modalonly = true;
	o.multiple = true;
	o.nocreate = true;
	o.optional = true;
	o = s.taboption('more', form.Value, 'url', _('Whole URL'), _('Instead of all parts: server://key@host:port/target?options'));
	o.modalonly = true;
	o.optional = true;
	o.password = true;
	o.validate = checkUrl;
}

return view.extend({
	load() {
		return Promise.all([uci.load('nodepass'), callServiceList('nodepass').catch(() => ({})), readTraffic()]);
	},

	render([loaded, service, traffic]) {
		const map = new form.Map('nodepass', _('NodePass'), _('Tunnels for TCP and UDP: forward a port, reach a machine behind a NAT, over TLS.'));
		let instances = instancesOf(service), s;

		addService(map);
		s = map.section(form.GridSection, 'tunnel', _('Tunnels'));
		s.addremove = true;
		s.anonymous = false;
		s.sortable = true;
		s.nodescriptions = true;
		s.addbtntitle = _('Add a tunnel');
		s.modaltitle = section => _('Tunnel') + ' ' + section;
		s.tab('general', _('General'));
		s.tab('tls', _('TLS'));
		s.tab('limits', _('Limits'));
		s.tab('more', _('More'));
		addGeneral(s);
		addTls(s);
		addLimits(s);
		addMore(s);
		for (const option of s.children) {
			if (option.option == '_state')
				option.textvalue = section => stateNode(section, instances);
			if (option.option == '_traffic')
				option.textvalue = section => E('span', { 'data-np-traffic': section }, [trafficOf(section, instances, traffic)]);
		}
		poll.add(() => Promise.all([callServiceList('nodepass'), readTraffic()]).then(([service, points]) => {
			instances = instancesOf(service);
			traffic = points;
			refresh(instances, traffic);
		}), 5);
		return map.render();
	}
});
