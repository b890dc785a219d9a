<?php
// Symfony's Mailjet bridge (Debian's package), unmodified: the host of the DSN is all that is changed.
foreach (['Contracts/Deprecation', 'Contracts/Service', 'Component/EventDispatcher', 'Component/Mime', 'Component/HttpClient', 'Component/Mailer', 'Component/Mailer/Bridge/Mailjet'] as $part) {
    foreach (['autoload.php', 'function.php'] as $file) {
        if (is_file("/usr/share/php/Symfony/$part/$file")) {
            require_once "/usr/share/php/Symfony/$part/$file";
        }
    }
}

use Symfony\Component\HttpClient\HttpClient;
use Symfony\Component\Mailer\Bridge\Mailjet\Transport\MailjetTransportFactory;
use Symfony\Component\Mailer\Mailer;
use Symfony\Component\Mailer\Transport\Dsn;
use Symfony\Component\Mime\Email;

function send(string $secret, string $from, string $to): string
{
    $client = HttpClient::create(['cafile' => getenv('AUTHORITY')]);
    $dsn = new Dsn('mailjet+api', 'localhost:'.getenv('HTTPS_PORT'), getenv('KEY'), $secret);
    $email = (new Email())->from($from)->to($to)->cc('php-b@dest.example')->replyTo('re@sender.example')->subject('Été')
        ->text('Hi é')->html('<b>Hi é</b>')->attach(str_repeat('attached', 40), 'a.txt', 'text/plain');
    $email->getHeaders()->addTextHeader('X-MJ-CustomID', 'php')->addTextHeader('X-One', '1');
    try {
        (new MailjetTransportFactory(null, $client))->create($dsn)->send($email);

        return 'sent';
    } catch (\Throwable $error) {
        return $error->getMessage().($error->getPrevious() ? ' '.$error->getPrevious()->getMessage() : '');
    }
}

echo json_encode([
    send(getenv('SECRET'), 'Me <news@sender.example>', 'php-a@dest.example'),
    send(getenv('SECRET'), 'x@elsewhere.example', 'php-x@dest.example'),
    send('wrong', 'news@sender.example', 'php-x@dest.example'),
]);
