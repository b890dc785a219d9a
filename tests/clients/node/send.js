// node-mailjet, unmodified: host and CA are all that is changed. It knows https only.
const Mailjet = require('node-mailjet');
const author = { Email: 'news@sender.example', Name: 'Me' };

async function main() {
  const { KEY, SECRET, HTTPS_PORT } = process.env;
  const mailjet = Mailjet.apiConnect(KEY, SECRET, { config: { host: `localhost:${HTTPS_PORT}`, version: 'v3' } });
  const sent = await mailjet.post('send', { version: 'v3.1' }).request({
    Messages: [{
      From: author, To: [{ Email: 'node-a@dest.example' }], Subject: 'Hello', TextPart: 'Hi {{var:n}}', HTMLPart: '<b>Hi {{var:n}}</b>', TemplateLanguage: true,
      Variables: { n: 7 }, CustomID: 'node', Attachments: [{ ContentType: 'text/plain', Filename: 'a.txt', Base64Content: 'YQ==' }],
    }],
  });
  const entry = sent.body.Messages[0];
  const older = await mailjet.post('send').request({
    FromEmail: author.Email, Subject: 'Hello', 'Text-part': 'Hi', Recipients: [{ Email: 'node-old@dest.example' }],
  });
  const read = await mailjet.get('message', { version: 'v3' }).id(entry.To[0].MessageID).request();
  const errors = [];
  const calls = [
    () => mailjet.post('send', { version: 'v3.1' }).request({ Messages: [{ From: author, To: [{ Email: 'node-b@dest.example' }], Subject: 'x' }] }),
    () => Mailjet.apiConnect(KEY, 'wrong', { config: { host: `localhost:${HTTPS_PORT}` } }).post('send', { version: 'v3.1' }).request({ Messages: [] }),
  ];
  for (const call of calls) {
    try {
      await call();
      errors.push('none');
    } catch (error) {
      errors.push({ status: error.statusCode, message: error.message, identifier: error.ErrorIdentifier });
    }
  }
  console.log(JSON.stringify({ status: entry.Status, id: entry.To[0].MessageID, custom: entry.CustomID, older: older.body.Sent, read: read.body.Data, errors }));
}

main().catch((error) => { console.error(error); process.exit(1); });
