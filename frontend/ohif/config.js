// What OHIF is told before it starts: where the images are, how a head CT is first shown, and what it may not offer.
const DICOMWEB = "/dicomweb";
const { notice, home } = document.body.dataset;

const MASKS = "@ohif/extension-cornerstone.panelModule.panelSegmentation";
// The windows of the platform's own slices, in Hounsfield units.
const BRAIN = { windowWidth: 90, windowCenter: 45 };
const WINDOWS = [
  ["brain", "Brain", BRAIN.windowWidth, BRAIN.windowCenter],
  ["subdural", "Subdural", 200, 75],
  ["bone", "Bone", 2500, 480],
];

// OHIF's own first layout, one stack in one viewport, but in the brain window.
const viewportOptions = {
  viewportType: "stack",
  toolGroupId: "default",
  allowUnmatchedView: true,
  // A mask that is shown in one viewport is shown in all that lie in the same space.
  syncGroups: [
    { type: "hydrateseg", id: "sameFORId", source: true, target: true, options: { matchingRules: ["sameFOR"] } },
  ],
};
const displaySet = { id: "images", options: { voi: BRAIN } };
const protocol = {
  id: "head-ct",
  name: "Head CT",
  protocolMatchingRules: [],
  toolGroupIds: ["default"],
  numberOfPriorsReferenced: 0,
  defaultViewport: { viewportOptions, displaySets: [{ ...displaySet, matchedDisplaySetsIndex: -1 }] },
  displaySetSelectors: {
    images: {
      seriesMatchingRules: [
        { weight: 10, attribute: "numImageFrames", constraint: { greaterThan: { value: 0 } } },
        { weight: 20, attribute: "isDisplaySetFromUrl", constraint: { equals: true } },
      ],
    },
  },
  stages: [
    {
      name: "one",
      viewportStructure: { layoutType: "grid", properties: { rows: 1, columns: 1 } },
      viewports: [
        {
          viewportOptions: {
            ...viewportOptions,
            viewportId: "default",
            initialImageOptions: { custom: "sopInstanceLocation" },
          },
          displaySets: [displaySet],
        },
      ],
    },
  ],
};

window.PUBLIC_URL = "/";
window.config = {
  name: "ichor",
  routerBasename: "/",
  extensions: [{ id: "ichor", getHangingProtocolModule: () => [{ name: protocol.id, protocol }] }],
  modes: [],
  modesConfiguration: {
    "@ohif/mode-longitudinal": {
      hangingProtocol: { $set: protocol.id },
      // Without the list of measurements, which offers to store them: nothing drawn here is kept.
      routes: { 0: { layoutInstance: { props: { rightPanels: { $set: [MASKS] } } } } },
    },
  },
  customizationService: [
    {
      "cornerstone.windowLevelPresets": {
        CT: {
          $set: WINDOWS.map(([id, description, width, level]) => ({
            id,
            description,
            window: String(width),
            level: String(level),
          })),
        },
      },
    },
  ],
  showStudyList: false,
  investigationalUseDialog: { option: "never" },
  // A mask is laid over the CT when it is chosen, without a question first.
  disableConfirmationPrompts: true,
  measurementTrackingMode: "none",
  showErrorDetails: "dev",
  maxNumberOfWebWorkers: 3,
  maxNumRequests: { interaction: 20, thumbnail: 5, prefetch: 10 },
  whiteLabeling: {
    createLogoComponentFn: (React) =>
      React.createElement(
        "a",
        { href: home, className: "text-white text-sm" },
        React.createElement("strong", null, "Ichor"),
        ` · ${notice}`,
      ),
  },
  // Signed out meanwhile: back through the sign-in page to the same study.
  httpErrorHandler: (error) => {
    if (error.status === 401) window.location.reload();
  },
  defaultDataSourceName: "ichor",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "ichor",
      configuration: {
        friendlyName: "Ichor",
        name: "ichor",
        qidoRoot: DICOMWEB,
        wadoRoot: DICOMWEB,
        stowRoot: DICOMWEB,
        wadoUriRoot: DICOMWEB,
        qidoSupportsIncludeField: true,
        supportsReject: false,
        supportsStow: false,
        dicomUploadEnabled: false,
        imageRendering: "wadors",
        thumbnailRendering: "wadors",
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        singlepart: "bulkdata,pdf,video",
        bulkDataURI: { enabled: true },
      },
    },
  ],
};
