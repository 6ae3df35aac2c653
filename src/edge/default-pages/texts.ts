/** What the built-in pages say, in each language. Short, true, and without blame. */
import type { PageKind, PageLanguage } from "../../config/pages/vocabulary.ts";

export interface PageTexts {
  readonly kinds: Readonly<Record<PageKind, readonly [title: string, message: string]>>;
  /** Second, minute, hour: of one and of several. */
  readonly units: readonly (readonly [one: string, several: string])[];
  readonly retryIn: (time: string) => string;
  /** Between a number and its unit. */
  readonly space: string;
  readonly again: string;
  readonly home: string;
  readonly reference: string;
}

export const TEXTS: Readonly<Record<PageLanguage, PageTexts>> = {
  en: {
    kinds: {
      outage: ["We will be right back", "This part of the service cannot answer at the moment. We are on it."],
      overloaded: ["It is very busy right now", "There are more requests than we can answer at the moment."],
      "bad-gateway": ["This page could not be loaded", "A system behind this page did not answer as it should."],
      maintenance: ["Down for maintenance", "We are working on this part of the service. It will be back soon."],
      limited: ["Too many requests", "You have sent more requests than are allowed in this time."],
      "not-found": ["Page not found", "There is nothing at this address. Please check it for typing errors."],
      unauthenticated: ["Please sign in", "This page is open only to those who have signed in."],
      denied: ["Access denied", "You are not allowed to open this page."],
      refused: ["This request cannot be answered", "The address or the kind of request is not accepted here."],
    },
    units: [
      ["second", "seconds"],
      ["minute", "minutes"],
      ["hour", "hours"],
    ],
    space: " ",
    retryIn: (time) => `Please try again in about ${time}.`,
    again: "Try again",
    home: "Go to the start page",
    reference: "Reference",
  },
  de: {
    kinds: {
      outage: ["Wir sind gleich zurück", "Dieser Teil des Dienstes kann gerade nicht antworten. Wir arbeiten daran."],
      overloaded: ["Gerade ist sehr viel los", "Im Moment kommen mehr Anfragen an, als wir beantworten können."],
      "bad-gateway": [
        "Diese Seite konnte nicht geladen werden",
        "Ein System hinter dieser Seite hat nicht so geantwortet, wie es sollte.",
      ],
      maintenance: ["Wartungsarbeiten", "Wir arbeiten an diesem Teil des Dienstes. Er ist bald wieder erreichbar."],
      limited: ["Zu viele Anfragen", "Sie haben mehr Anfragen gesendet, als in dieser Zeit erlaubt sind."],
      "not-found": [
        "Seite nicht gefunden",
        "Unter dieser Adresse gibt es nichts. Bitte prüfen Sie sie auf Tippfehler.",
      ],
      unauthenticated: ["Bitte melden Sie sich an", "Diese Seite ist nur nach einer Anmeldung zugänglich."],
      denied: ["Zugriff verweigert", "Sie dürfen diese Seite nicht öffnen."],
      refused: [
        "Diese Anfrage kann nicht beantwortet werden",
        "Die Adresse oder die Art der Anfrage wird hier nicht angenommen.",
      ],
    },
    units: [
      ["Sekunde", "Sekunden"],
      ["Minute", "Minuten"],
      ["Stunde", "Stunden"],
    ],
    space: " ",
    retryIn: (time) => `Bitte versuchen Sie es in etwa ${time} noch einmal.`,
    again: "Noch einmal versuchen",
    home: "Zur Startseite",
    reference: "Referenz",
  },
  fr: {
    kinds: {
      outage: [
        "Nous revenons tout de suite",
        "Cette partie du service ne peut pas répondre pour le moment. Nous nous en occupons.",
      ],
      overloaded: ["Très forte affluence", "Nous recevons en ce moment plus de demandes que nous ne pouvons traiter."],
      "bad-gateway": [
        "Cette page n’a pas pu être chargée",
        "Un système dont dépend cette page n’a pas répondu correctement.",
      ],
      maintenance: [
        "Maintenance en cours",
        "Nous travaillons sur cette partie du service. Elle sera bientôt de retour.",
      ],
      limited: ["Trop de demandes", "Vous avez envoyé plus de demandes que le nombre autorisé pour cette période."],
      "not-found": ["Page introuvable", "Il n’y a rien à cette adresse. Vérifiez qu’elle est bien écrite."],
      unauthenticated: ["Veuillez vous connecter", "Cette page n’est accessible qu’après connexion."],
      denied: ["Accès refusé", "Vous n’êtes pas autorisé à ouvrir cette page."],
      refused: ["Impossible de répondre à cette demande", "L’adresse ou le type de demande n’est pas accepté ici."],
    },
    units: [
      ["seconde", "secondes"],
      ["minute", "minutes"],
      ["heure", "heures"],
    ],
    space: "\u00A0",
    retryIn: (time) => `Veuillez réessayer dans environ ${time}.`,
    again: "Réessayer",
    home: "Aller à la page d’accueil",
    reference: "Référence",
  },
  es: {
    kinds: {
      outage: [
        "Volvemos enseguida",
        "Esta parte del servicio no puede responder en este momento. Estamos trabajando en ello.",
      ],
      overloaded: ["Hay mucha actividad", "En este momento llegan más solicitudes de las que podemos atender."],
      "bad-gateway": [
        "No se ha podido cargar esta página",
        "Un sistema del que depende esta página no ha respondido correctamente.",
      ],
      maintenance: [
        "En mantenimiento",
        "Estamos trabajando en esta parte del servicio. Estará disponible de nuevo en breve.",
      ],
      limited: ["Demasiadas solicitudes", "Ha enviado más solicitudes de las permitidas en este tiempo."],
      "not-found": ["Página no encontrada", "No hay nada en esta dirección. Compruebe que esté bien escrita."],
      unauthenticated: ["Inicie sesión", "Esta página solo está disponible tras iniciar sesión."],
      denied: ["Acceso denegado", "No tiene permiso para abrir esta página."],
      refused: ["No se puede responder a esta solicitud", "La dirección o el tipo de solicitud no se aceptan aquí."],
    },
    units: [
      ["segundo", "segundos"],
      ["minuto", "minutos"],
      ["hora", "horas"],
    ],
    space: " ",
    retryIn: (time) => `Vuelva a intentarlo en aproximadamente ${time}.`,
    again: "Volver a intentarlo",
    home: "Ir a la página de inicio",
    reference: "Referencia",
  },
  ja: {
    kinds: {
      outage: ["まもなく復旧します", "現在、このサービスは一時的に応答できません。復旧作業を進めています。"],
      overloaded: ["アクセスが集中しています", "現在、処理できる数を超えるアクセスをいただいています。"],
      "bad-gateway": ["ページを読み込めませんでした", "このページを提供するシステムから正しい応答がありませんでした。"],
      maintenance: ["メンテナンス中です", "現在、このサービスのメンテナンスを行っています。まもなく再開します。"],
      limited: ["リクエストが多すぎます", "この時間内に許可されている回数を超えるリクエストがありました。"],
      "not-found": ["ページが見つかりません", "このアドレスにページはありません。入力に誤りがないかご確認ください。"],
      unauthenticated: ["ログインしてください", "このページを表示するにはログインが必要です。"],
      denied: ["アクセスできません", "このページを表示する権限がありません。"],
      refused: ["このリクエストには応答できません", "このアドレスまたはリクエストの種類は受け付けていません。"],
    },
    units: [
      ["秒", "秒"],
      ["分", "分"],
      ["時間", "時間"],
    ],
    space: "",
    retryIn: (time) => `約${time}後にもう一度お試しください。`,
    again: "もう一度試す",
    home: "トップページへ",
    reference: "照会番号",
  },
};
