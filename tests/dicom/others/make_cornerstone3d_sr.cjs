const dcmjs = require('dcmjs'); const fs = require('fs');
const [,, image, out] = process.argv;
const { TID1500, TID300 } = dcmjs.utilities;
const raw = dcmjs.data.DicomMessage.readFile(fs.readFileSync(image).buffer);
const ds = dcmjs.data.DicomMetaDictionary.naturalizeDataset(raw.dict);
ds._meta = dcmjs.data.DicomMetaDictionary.namifyDataset(raw.meta);
ds._vrMap = {PixelData:'OW'};
const ref = { ReferencedSOPClassUID: ds.SOPClassUID, ReferencedSOPInstanceUID: ds.SOPInstanceUID };
const finding = { CodeValue: '4147007', CodingSchemeDesignator: 'SCT', CodeMeaning: 'Mass' };
const site = { CodeValue: '71836000', CodingSchemeDesignator: 'SCT', CodeMeaning: 'Nasopharynx' };
const length = new TID300.Length({ point1: {x: 10.5, y: 20.5}, point2: {x: 40.5, y: 60.5}, distance: 24.41, unit: 'mm',
  trackingIdentifierTextValue: 'Cornerstone3DTools@^0.1.0:Length', finding, findingSites: [site], ReferencedSOPSequence: ref });
const bidi = new TID300.Bidirectional({ longAxis: {point1: {x: 10.5, y: 20.5}, point2: {x: 40.5, y: 20.5}},
  shortAxis: {point1: {x: 25.5, y: 10.5}, point2: {x: 25.5, y: 28.5}}, longAxisLength: 14.65, shortAxisLength: 8.79, unit: 'mm',
  trackingIdentifierTextValue: 'Cornerstone3DTools@^0.1.0:Bidirectional', finding, findingSites: [site], ReferencedSOPSequence: ref });
const groups = [length, bidi].map(m => new TID1500.TID1501MeasurementGroup([m]));
const tid = new TID1500.TID1500MeasurementReport({ TID1501MeasurementGroups: groups }, {});
const report = new dcmjs.derivations.StructuredReport([ds], {});
const item = tid.contentItem([ds], { sopInstanceUIDsToSeriesInstanceUIDMap: { [ds.SOPInstanceUID]: ds.SeriesInstanceUID } });
Object.assign(report.dataset, item);
const meta = dcmjs.data.DicomMetaDictionary;
report.dataset._meta = { FileMetaInformationVersion: { Value: [new Uint8Array([0, 1]).buffer], vr: 'OB' },
  TransferSyntaxUID: { Value: ['1.2.840.10008.1.2.1'], vr: 'UI' }, ImplementationClassUID: { Value: [meta.uid()], vr: 'UI' }, ImplementationVersionName: { Value: ['dcmjs-0.52.0'], vr: 'SH' } };
report.dataset.InstanceNumber = 1;
fs.writeFileSync(out, Buffer.from(dcmjs.data.datasetToDict(report.dataset).write()));
