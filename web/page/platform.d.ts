// What some browsers have and the library of TypeScript does not name.

interface LaunchParams {
  readonly files?: readonly FileSystemFileHandle[];
}

interface BeforeInstallPromptEvent extends Event {
  prompt(): Promise<{ outcome: 'accepted' | 'dismissed' }>;
}

interface Window {
  launchQueue?: {
    setConsumer(consumer: (params: LaunchParams) => void): void;
  };
}

interface WindowEventMap {
  beforeinstallprompt: BeforeInstallPromptEvent;
}
