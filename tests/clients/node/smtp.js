// nodemailer, unmodified, over the SMTP relay with Mailjet's headers.
const nodemailer = require('nodemailer');

async function main() {
  const { KEY, SECRET, SMTP_PORT } = process.env;
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: Number(SMTP_PORT), ignoreTLS: true, auth: { user: KEY, pass: SECRET } });
  const info = await transport.sendMail({
    from: 'Me <news@sender.example>', to: 'mailer-a@dest.example', cc: 'mailer-b@dest.example', subject: 'Été {{var:n}}', text: 'Hi {{var:n}} é',
    html: '<b>Hi {{var:n}} é</b>', attachments: [{ filename: 'a.txt', content: 'attached' }],
    headers: { 'X-MJ-TemplateLanguage': '1', 'X-MJ-Vars': JSON.stringify({ n: 7 }), 'X-MJ-CustomID': 'mailer', 'X-Mailjet-Prio': '3', 'X-Mailjet-TrackOpen': '0' },
  });
  console.log(JSON.stringify({ accepted: info.accepted, response: info.response }));
}

main().catch((error) => { console.error(error); process.exit(1); });
